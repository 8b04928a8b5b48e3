-- Deletions that wait for a decision.

-- name: open_hold
-- The first of them.
INSERT INTO contactsync.delete_hold (tenant_id, hold_id, connection_id, cause, contacts, live)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: set_open
-- Which hold is the connection's open one (NULL: none).
UPDATE contactsync.progress
SET hold_id = $3
WHERE tenant_id = $1 AND connection_id = $2

-- name: change_hold
-- More are held, or fewer; how many there are now.
UPDATE contactsync.delete_hold
SET contacts = contacts + $3
WHERE tenant_id = $1 AND hold_id = $2
RETURNING contacts

-- name: end_hold
-- The decision, and on how many contacts.
UPDATE contactsync.delete_hold
SET decided_at = now(), decision = $3, contacts = $4
WHERE tenant_id = $1 AND hold_id = $2

-- name: get_hold
-- One hold of a connection.
SELECT *
FROM contactsync.delete_hold
WHERE tenant_id = $1 AND connection_id = $2 AND hold_id = $3

-- name: get_open
-- The open hold of a connection.
SELECT *
FROM contactsync.delete_hold
WHERE tenant_id = $1 AND connection_id = $2 AND decided_at IS NULL

-- name: list_holds
-- The holds of a tenant or of all, the oldest first.
SELECT *
FROM contactsync.delete_hold
WHERE ($1::uuid IS NULL OR tenant_id = $1) AND (decided_at IS NULL OR NOT $2)
ORDER BY opened_at, hold_id

-- name: delete_held
-- Approved: what is still held is gone; its look-ups as in a sweep.
WITH deleted AS (
    UPDATE contactsync.contact
    SET sealed = NULL, content_mac = NULL, etag_mac = NULL, source_version = NULL,
        observed = greatest(observed, delete_held), delete_held = NULL, deleted_at = now(), changed_at = now()
    WHERE tenant_id = $1 AND connection_id = $2 AND delete_held IS NOT NULL
    RETURNING contact_id
),
unfound AS (
    DELETE FROM contactsync.contact_lookup
    WHERE tenant_id = $1 AND contact_id = ANY (ARRAY(SELECT contact_id FROM deleted))
)
SELECT count(*) FROM deleted

-- name: keep_held
-- Rejected: what is still held stays.
WITH kept AS (
    UPDATE contactsync.contact
    SET delete_held = NULL
    WHERE tenant_id = $1 AND connection_id = $2 AND delete_held IS NOT NULL
    RETURNING contact_id
)
SELECT count(*) FROM kept

-- name: live
-- How many contacts a connection has.
SELECT count(*)
FROM contactsync.contact
WHERE tenant_id = $1 AND connection_id = $2 AND deleted_at IS NULL
