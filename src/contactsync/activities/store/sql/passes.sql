-- How far a connection has come, and the history of its passes.

-- name: lock_progress
-- Where the connection stands; whoever holds this lock is the connection's only writer.
SELECT p.epoch, p.pass_id, p.page, p.open, p.cursor, p.generation, p.swept_generation, p.hold_id, p.result,
    c.interval_seconds, c.jitter_seconds, c.paused, t.disabled_at
FROM contactsync.progress p
JOIN contactsync.connection c USING (tenant_id, connection_id)
JOIN contactsync.tenant t USING (tenant_id)
WHERE p.tenant_id = $1 AND p.connection_id = $2
FOR UPDATE OF p

-- name: place
-- The same in short, for a page that waits for its turn.
SELECT epoch, page, open
FROM contactsync.progress
WHERE tenant_id = $1 AND connection_id = $2

-- name: get_progress
-- The same for a reader, with the time of the last pass that reached the source's present.
SELECT p.epoch, p.pass_id, p.page, p.open, p.cursor IS NOT NULL AS started, p.cursor_full, p.generation, c.paused,
    (
        SELECT max(done.ended_at)
        FROM contactsync.pass done
        WHERE done.tenant_id = $1 AND done.connection_id = $2 AND done.outcome = 'completed'
    ) AS completed_at
FROM contactsync.progress p
JOIN contactsync.connection c USING (tenant_id, connection_id)
WHERE p.tenant_id = $1 AND p.connection_id = $2

-- name: pass_known
-- Whether this pass was ever opened.
SELECT true
FROM contactsync.pass
WHERE tenant_id = $1 AND pass_id = $2

-- name: end_open
-- Ends what is still open: by its own code, or because a newer pass takes over.
UPDATE contactsync.pass
SET ended_at = now(), outcome = $3
WHERE tenant_id = $1 AND connection_id = $2 AND ended_at IS NULL

-- name: take_over
-- A new pass: from here on, whatever still runs for an older one is refused. The cursor stays.
UPDATE contactsync.progress
SET epoch = epoch + 1, pass_id = $3, page = 0, open = true, result = NULL, started_at = now()
WHERE tenant_id = $1 AND connection_id = $2
RETURNING epoch

-- name: add_pass
-- The new pass in the history.
INSERT INTO contactsync.pass (tenant_id, pass_id, connection_id, epoch)
VALUES ($1, $2, $3, $4)

-- name: shut
-- No page of the present pass is accepted any more.
UPDATE contactsync.progress
SET open = false
WHERE tenant_id = $1 AND connection_id = $2 AND pass_id = $3

-- name: get_pass
-- One pass.
SELECT *
FROM contactsync.pass
WHERE tenant_id = $1 AND connection_id = $2 AND pass_id = $3

-- name: history
-- The latest passes, the newest first.
SELECT *
FROM contactsync.pass
WHERE tenant_id = $1 AND connection_id = $2
ORDER BY epoch DESC
LIMIT $3

-- name: next_generation
-- A number for a complete listing; nobody else gets it.
UPDATE contactsync.progress
SET generation = generation + 1
WHERE tenant_id = $1 AND connection_id = $2
RETURNING generation

-- name: swept_generation
-- The generation that swept last.
SELECT swept_generation
FROM contactsync.progress
WHERE tenant_id = $1 AND connection_id = $2

-- name: set_swept
-- A complete listing has said what is there: pages that were read before know less.
UPDATE contactsync.progress
SET swept_generation = $3
WHERE tenant_id = $1 AND connection_id = $2

-- name: tally
-- What the delete guard goes by: the pass so far, and the tenant's policy.
SELECT p.added, p.deleted, p.merged, p.held, p.live, t.policy
FROM contactsync.pass p
JOIN contactsync.tenant t USING (tenant_id)
WHERE p.tenant_id = $1 AND p.pass_id = $2

-- name: advance
-- A page was committed: its cursor and its answer become the connection's.
UPDATE contactsync.progress
SET page = $3, cursor = $4, cursor_full = $5, generation = greatest(generation, $6), result = $7, open = NOT $8
WHERE tenant_id = $1 AND connection_id = $2

-- name: count_page
-- The page's counts join those of its pass, which ends with its last page.
UPDATE contactsync.pass
SET pages = pages + $3, downloaded = downloaded + $4, added = added + $5, updated = updated + $6,
    unchanged = unchanged + $7, deleted = deleted + $8, quarantined = quarantined + $9, held = held + $10,
    merged = $11, live = $12,
    ended_at = CASE WHEN $13 THEN now() END, outcome = CASE WHEN $13 THEN 'completed' END
WHERE tenant_id = $1 AND pass_id = $2
