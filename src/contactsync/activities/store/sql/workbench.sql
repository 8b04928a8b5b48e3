-- What the engine lends a source.

-- name: held_etags
-- Of those of a part of a listing that are held: the digests of their source ids and version tags, one after the other; NULL
-- where there is none.
SELECT string_agg(source_index || etag_mac, '')
FROM contactsync.contact
WHERE tenant_id = $1 AND connection_id = $2 AND source_index = ANY ($3::bytea[]) AND deleted_at IS NULL

-- name: stash
-- Keeps a listing, in parts.
INSERT INTO contactsync.stash (tenant_id, connection_id, owner, owner_part, handle, part, sealed)
SELECT $1, $2, $3, $4, $5, part - 1, sealed
FROM unnest($6::bytea[]) WITH ORDINALITY AS parts (sealed, part)

-- name: drop_forgotten
-- Attempts that failed after they kept a listing leave it behind: only the newest few of each owner stay.
DELETE FROM contactsync.stash
WHERE tenant_id = $1 AND connection_id = $2 AND owner IS NOT DISTINCT FROM $3 AND owner_part IS NOT DISTINCT FROM $4
    AND handle NOT IN (
        SELECT handle
        FROM contactsync.stash
        WHERE tenant_id = $1 AND connection_id = $2 AND owner IS NOT DISTINCT FROM $3
            AND owner_part IS NOT DISTINCT FROM $4
        GROUP BY handle
        ORDER BY max(created_at) DESC
        LIMIT $5
    )

-- name: stashed
-- One part of a listing.
SELECT sealed
FROM contactsync.stash
WHERE tenant_id = $1 AND connection_id = $2 AND handle = $3 AND part = $4
