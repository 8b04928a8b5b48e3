-- Backfills and their parts. Whoever changes one holds the lock of its connection's row of progress.

-- name: request
-- The next backfill of a connection.
INSERT INTO contactsync.backfill
    (tenant_id, connection_id, backfill_id, number, since, rows_per_second, dry_run, parallel)
SELECT $1, $2, $3, coalesce(max(number), 0) + 1, $4, $5, $6, $7
FROM contactsync.backfill
WHERE tenant_id = $1 AND connection_id = $2

-- name: under_way
-- The backfill that has not ended.
SELECT backfill_id
FROM contactsync.backfill
WHERE tenant_id = $1 AND connection_id = $2 AND ended_at IS NULL

-- name: get
-- Backfills of a connection, the newest first: one, or (NULL) all.
SELECT b.*,
    (SELECT count(*) FROM contactsync.backfill_part p WHERE (p.tenant_id, p.backfill_id) = (b.tenant_id, b.backfill_id))
        AS parts,
    (
        SELECT count(*)
        FROM contactsync.backfill_part p
        WHERE (p.tenant_id, p.backfill_id) = (b.tenant_id, b.backfill_id) AND p.done
    ) AS parts_done
FROM contactsync.backfill b
WHERE b.tenant_id = $1 AND b.connection_id = $2 AND ($3::uuid IS NULL OR b.backfill_id = $3)
ORDER BY b.number DESC
LIMIT $4

-- name: lock
-- One backfill and its tenant's policy; the caller holds its connection.
SELECT b.*, t.policy, now() AS at
FROM contactsync.backfill b
JOIN contactsync.tenant t USING (tenant_id)
WHERE b.tenant_id = $1 AND b.connection_id = $2 AND b.backfill_id = $3

-- name: take_over
-- Another workflow works on it: from here on, whatever still runs for an older one is refused.
UPDATE contactsync.backfill
SET epoch = epoch + 1, openings = openings || $3::uuid, state = 'running', started_at = coalesce(started_at, now())
WHERE tenant_id = $1 AND backfill_id = $2

-- name: plan
-- What it comes after, its generation, and how much there is.
UPDATE contactsync.backfill
SET cutoff = $3, generation = $4, total = $5
WHERE tenant_id = $1 AND backfill_id = $2

-- name: add_parts
-- Its parts, each with the cursor it starts from.
INSERT INTO contactsync.backfill_part (tenant_id, backfill_id, part, cursor)
SELECT $1, $2, part - 1, cursor
FROM unnest($3::bytea[]) WITH ORDINALITY AS parts (cursor, part)

-- name: set_baseline
-- Live sync begins at the source's present; the backfill lists what was there before.
UPDATE contactsync.progress
SET cursor = $3
WHERE tenant_id = $1 AND connection_id = $2 AND cursor IS NULL

-- name: parts
-- Where its parts stand.
SELECT part, page, cursor, done
FROM contactsync.backfill_part
WHERE tenant_id = $1 AND backfill_id = $2
ORDER BY part

-- name: part
-- Where one part stands, and what its last page was answered.
SELECT page, cursor, done, result
FROM contactsync.backfill_part
WHERE tenant_id = $1 AND backfill_id = $2 AND part = $3

-- name: advance_part
-- A page of a part was committed.
UPDATE contactsync.backfill_part
SET page = $4, cursor = $5, done = $6, result = $7
WHERE tenant_id = $1 AND backfill_id = $2 AND part = $3

-- name: count
-- What the backfill has done until now.
UPDATE contactsync.backfill
SET counts = $3, merged = $4, live = $5, total = coalesce($6, total)
WHERE tenant_id = $1 AND backfill_id = $2

-- name: unfinished
-- How many parts are not done.
SELECT count(*)
FROM contactsync.backfill_part
WHERE tenant_id = $1 AND backfill_id = $2 AND NOT done

-- name: end
-- It is over.
UPDATE contactsync.backfill
SET state = $3, ended_at = now(), paused = false
WHERE tenant_id = $1 AND backfill_id = $2

-- name: set_paused
-- It is paused, or no longer is.
UPDATE contactsync.backfill
SET paused = $3
WHERE tenant_id = $1 AND backfill_id = $2
