-- Rows under newer keys: whose epochs are the present ones, and what is still under older ones.

-- name: hold_epochs
-- Nobody begins newer epochs before this transaction ends.
SELECT row_epoch, index_epoch
FROM contactsync.tenant
WHERE tenant_id = $1
FOR SHARE

-- name: begin_epochs
-- From here on rows are written under these; waits for whoever writes under older ones.
UPDATE contactsync.tenant
SET row_epoch = greatest(row_epoch, $2), index_epoch = greatest(index_epoch, $3)
WHERE tenant_id = $1 AND (row_epoch < $2 OR index_epoch < $3)

-- name: connections
-- The tenant's connections, one after the other.
SELECT connection_id
FROM contactsync.connection
WHERE tenant_id = $1 AND connection_id > $2
ORDER BY connection_id
LIMIT 1

-- name: old_contacts
-- Live contacts of a connection under older indexes, so many at a time.
SELECT contact_id, sealed
FROM contactsync.contact
WHERE tenant_id = $1 AND connection_id IS NOT DISTINCT FROM $2  -- `=` would let an index without this order in
    AND contact_id > $3 AND index_epoch < $4 AND deleted_at IS NULL
ORDER BY contact_id
LIMIT $5

-- name: contacts_at
-- Contacts that stand at older indexes, tombstones too.
SELECT contact_id, source_index, sealed
FROM contactsync.contact
WHERE tenant_id = $1 AND connection_id = $2 AND source_index = ANY ($3::bytea[])

-- name: forward_contacts
-- They stand at their new indexes. An etag is not kept, so its digest cannot be made anew.
UPDATE contactsync.contact AS held
SET source_index = forwarded.source_index, content_mac = forwarded.content_mac, etag_mac = NULL, index_epoch = $2
FROM unnest($3::uuid[], $4::bytea[], $5::bytea[]) AS forwarded (contact_id, source_index, content_mac)
WHERE held.tenant_id = $1 AND held.contact_id = forwarded.contact_id AND held.contact_id = ANY ($3::uuid[])

-- name: drop_lookups
-- They are found anew.
DELETE FROM contactsync.contact_lookup
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[])

-- name: old_quarantine
-- What a connection has set aside under older indexes.
SELECT source_index, sealed_source_id
FROM contactsync.quarantine
WHERE tenant_id = $1 AND connection_id = $2 AND index_epoch < $3
LIMIT $4

-- name: quarantine_at
-- Of some, what is set aside at older indexes.
SELECT source_index, sealed_source_id
FROM contactsync.quarantine
WHERE tenant_id = $1 AND connection_id = $2 AND source_index = ANY ($3::bytea[])

-- name: forward_quarantine
-- It stands at its new index, sealed for it.
UPDATE contactsync.quarantine AS held
SET source_index = forwarded.source_index, sealed_source_id = forwarded.sealed, index_epoch = $3
FROM unnest($4::bytea[], $5::bytea[], $6::bytea[]) AS forwarded (was, source_index, sealed)
WHERE held.tenant_id = $1 AND held.connection_id = $2 AND held.source_index = forwarded.was

-- name: indexed_before
-- What is still under older indexes: live contacts, places where contacts are found, entries set aside.
SELECT
    (
        SELECT count(*)
        FROM contactsync.contact
        WHERE tenant_id = $1 AND contact_id > '00000000-0000-0000-0000-000000000000'  -- all: read by the tenant's index
            AND index_epoch < $2 AND deleted_at IS NULL
    ) + (
        SELECT count(*)
        FROM contactsync.contact_lookup
        WHERE tenant_id = $1 AND epoch < $2
    ) + (
        SELECT count(*)
        FROM contactsync.quarantine
        WHERE tenant_id = $1 AND index_epoch < $2
    )

-- name: work_since
-- Passes and backfills under way that began before a time: they may hold cursors, or bring states, of before.
SELECT
    (
        SELECT count(*)
        FROM contactsync.pass
        WHERE tenant_id = $1 AND ended_at IS NULL AND started_at < to_timestamp($2)
    ) + (
        SELECT count(*)
        FROM contactsync.backfill
        WHERE tenant_id = $1 AND ended_at IS NULL AND requested_at < to_timestamp($2)
    )

-- name: contact_sealed
-- Contacts that are not sealed under the newest key, in the order of their ids.
SELECT contact_id::text AS name, contact_id, sealed
FROM contactsync.contact
WHERE tenant_id = $1 AND substring(sealed FROM 1 FOR 16) <> $2 AND contact_id > $3
ORDER BY contact_id
LIMIT $4

-- name: contact_reseal
-- Unless somebody wrote it meanwhile, who has the newest key.
UPDATE contactsync.contact AS held
SET sealed = again.sealed
FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS again (contact_id, was, sealed)
WHERE held.tenant_id = $1 AND held.contact_id = again.contact_id AND held.sealed = again.was
    AND held.contact_id = ANY ($2::uuid[])

-- name: quarantine_sealed
-- What is set aside; here and below: not under the newest key, and without those ($4) that no key opens.
SELECT encode(source_index, 'hex') AS name, sealed_source_id AS sealed
FROM contactsync.quarantine
WHERE tenant_id = $1 AND substring(sealed_source_id FROM 1 FOR 16) <> $2
ORDER BY connection_id, source_index
LIMIT $3 OFFSET $4

-- name: quarantine_reseal
-- Here and below: a sealed row is like no other, so it is its own name, and what was written meanwhile stays.
UPDATE contactsync.quarantine AS held
SET sealed_source_id = again.sealed
FROM unnest($2::bytea[], $3::bytea[]) AS again (was, sealed)
WHERE held.tenant_id = $1 AND held.sealed_source_id = again.was

-- name: connection_sealed
-- Settings of connections.
SELECT connection_id::text AS name, sealed_settings AS sealed
FROM contactsync.connection
WHERE tenant_id = $1 AND substring(sealed_settings FROM 1 FOR 16) <> $2
ORDER BY connection_id
LIMIT $3 OFFSET $4

-- name: connection_reseal
UPDATE contactsync.connection AS held
SET sealed_settings = again.sealed
FROM unnest($2::bytea[], $3::bytea[]) AS again (was, sealed)
WHERE held.tenant_id = $1 AND held.sealed_settings = again.was

-- name: progress_sealed
-- Cursors of live sync.
SELECT connection_id::text AS name, cursor AS sealed
FROM contactsync.progress
WHERE tenant_id = $1 AND substring(cursor FROM 1 FOR 16) <> $2
ORDER BY connection_id
LIMIT $3 OFFSET $4

-- name: progress_reseal
UPDATE contactsync.progress AS held
SET cursor = again.sealed
FROM unnest($2::bytea[], $3::bytea[]) AS again (was, sealed)
WHERE held.tenant_id = $1 AND held.cursor = again.was

-- name: backfill_part_sealed
-- Cursors of backfills under way.
SELECT b.connection_id::text AS name, p.cursor AS sealed
FROM contactsync.backfill_part p
JOIN contactsync.backfill b USING (tenant_id, backfill_id)
WHERE tenant_id = $1 AND b.ended_at IS NULL AND substring(p.cursor FROM 1 FOR 16) <> $2
ORDER BY p.backfill_id, p.part
LIMIT $3 OFFSET $4

-- name: backfill_part_reseal
UPDATE contactsync.backfill_part AS held
SET cursor = again.sealed
FROM unnest($2::bytea[], $3::bytea[]) AS again (was, sealed)
WHERE held.tenant_id = $1 AND held.cursor = again.was

-- name: stash_sealed
-- Listings that sources keep.
SELECT handle || '/' || part AS name, sealed
FROM contactsync.stash
WHERE tenant_id = $1 AND substring(sealed FROM 1 FOR 16) <> $2
ORDER BY connection_id, handle, part
LIMIT $3 OFFSET $4

-- name: stash_reseal
UPDATE contactsync.stash AS held
SET sealed = again.sealed
FROM unnest($2::bytea[], $3::bytea[]) AS again (was, sealed)
WHERE held.tenant_id = $1 AND held.sealed = again.was

-- name: oauth_token_sealed
-- OAuth tokens of connections.
SELECT connection_id::text AS name, sealed
FROM contactsync.oauth_token
WHERE tenant_id = $1 AND substring(sealed FROM 1 FOR 16) <> $2
ORDER BY connection_id
LIMIT $3 OFFSET $4

-- name: oauth_token_reseal
UPDATE contactsync.oauth_token AS held
SET sealed = again.sealed
FROM unnest($2::bytea[], $3::bytea[]) AS again (was, sealed)
WHERE held.tenant_id = $1 AND held.sealed = again.was
