-- What the engine lends a source.

-- name: unchanged
-- The places in a listing, from 1, of those whose version tag is the one held; NULL: of none.
SELECT array_agg(listed.place)
FROM unnest($3::bytea[], $4::bytea[]) WITH ORDINALITY AS listed (source_index, etag_mac, place)
JOIN contactsync.contact held USING (source_index, etag_mac)
WHERE held.tenant_id = $1 AND held.connection_id = $2 AND held.deleted_at IS NULL
    AND held.source_index = ANY ($3::bytea[])  -- else a plan may read the whole connection for each part of a listing

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
