-- Contacts that are found under another source id now.

-- name: to_move
-- What is held under the old ids and the new ones.
SELECT source_index, contact_id, sealed, source_version, observed, generation, deleted_at IS NOT NULL AS gone,
    merged_into, delete_held
FROM contactsync.contact
WHERE tenant_id = $1 AND connection_id = $2 AND source_index = ANY ($3::bytea[])

-- name: vacate
-- Rows that change places leave theirs first; the random index stays inside this transaction.
UPDATE contactsync.contact
SET source_index = uuid_send(gen_random_uuid())
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[])

-- name: move
-- Renamed contacts, and tombstones (those without a blob) that say where their contact is.
UPDATE contactsync.contact AS held
SET source_index = moved.source_index, index_epoch = $2, sealed = moved.sealed, content_mac = moved.content_mac,
    etag_mac = NULL, source_version = moved.source_version, observed = moved.observed, generation = moved.generation,
    deleted_at = CASE WHEN moved.sealed IS NULL THEN coalesce(held.deleted_at, now()) END,
    merged_into = moved.merged_into, delete_held = NULL, changed_at = now()
FROM unnest($3::uuid[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[], $8::bigint[], $9::bigint[], $10::uuid[])
    AS moved (contact_id, source_index, sealed, content_mac, source_version, observed, generation, merged_into)
WHERE held.tenant_id = $1 AND held.contact_id = moved.contact_id AND held.contact_id = ANY ($3::uuid[])

-- name: bury
-- Tombstones for ids that were not held, or were left by a renamed contact.
INSERT INTO contactsync.contact (
    tenant_id, connection_id, index_epoch,
    contact_id, source_index, source_version, observed, generation, merged_into, deleted_at
)
SELECT $1, $2, $3, contact_id, source_index, source_version, observed, generation, merged_into, now()
FROM unnest($4::uuid[], $5::bytea[], $6::bigint[], $7::bigint[], $8::bigint[], $9::uuid[])
    AS buried (contact_id, source_index, source_version, observed, generation, merged_into)

-- name: unfind
-- Contacts that are gone are found no more.
DELETE FROM contactsync.contact_lookup
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[])
