-- At the end of a complete listing: what it did not list.

-- name: unlisted
-- How many contacts there are, how many of them a listing did not name, and how many are held already. Of those that
-- were seen after $4 (where it is given), a listing says nothing.
SELECT count(*) AS live,
    count(*) FILTER (WHERE delete_held IS NULL AND generation < $3 AND ($4::bigint IS NULL OR observed <= $4)) AS unlisted,
    count(*) FILTER (WHERE delete_held IS NOT NULL) AS held
FROM contactsync.contact
WHERE tenant_id = $1 AND connection_id = $2 AND deleted_at IS NULL

-- name: sweep
-- They are gone. Their look-ups are found by their ids, whatever statistics say: joined, each of a tenant's look-ups may be
-- compared with each of the contacts.
WITH swept AS (
    UPDATE contactsync.contact
    SET sealed = NULL, content_mac = NULL, etag_mac = NULL, source_version = NULL, observed = greatest(observed, $5),
        deleted_at = now(), changed_at = now()
    WHERE tenant_id = $1 AND connection_id = $2 AND generation < $3 AND ($4::bigint IS NULL OR observed <= $4)
        AND deleted_at IS NULL AND delete_held IS NULL
    RETURNING contact_id
),
unfound AS (
    DELETE FROM contactsync.contact_lookup
    WHERE tenant_id = $1 AND contact_id = ANY (ARRAY(SELECT contact_id FROM swept))
)
SELECT count(*) FROM swept

-- name: hold_unlisted
-- They stay until someone decides.
UPDATE contactsync.contact
SET delete_held = $5
WHERE tenant_id = $1 AND connection_id = $2 AND generation < $3 AND ($4::bigint IS NULL OR observed <= $4)
    AND deleted_at IS NULL AND delete_held IS NULL

-- name: sweep_quarantine
-- What was set aside and is listed no more.
DELETE FROM contactsync.quarantine
WHERE tenant_id = $1 AND connection_id = $2 AND generation < $3 AND ($4::bigint IS NULL OR observed <= $4)

-- name: drop_stashes
-- At the end of a pass, or of a part of a backfill, its listings are worked through.
DELETE FROM contactsync.stash
WHERE tenant_id = $1 AND connection_id = $2 AND owner IS NOT DISTINCT FROM $3
    AND ($4::integer IS NULL OR owner_part = $4)
