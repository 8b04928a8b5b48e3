-- Contacts of one connection, a page at a time, and one contact by its address.
--
-- Digests that are written and not searched for come packed: one `bytea`, 16 bytes each (`records.packed`), since asyncpg
-- takes most of a microsecond for each element of an array. What is searched for stays an array: as a constant, a plan knows
-- how long it is, and looks an element up in a hash table where it reads more rows than were asked for.

-- name: held
-- What is held of the page's contacts; the columns are those of `merging.Held`.
SELECT source_index, contact_id, content_mac, etag_mac, source_version, observed, generation,
    deleted_at IS NOT NULL AS gone, delete_held
FROM contactsync.contact
WHERE tenant_id = $1 AND connection_id = $2 AND source_index = ANY ($3::bytea[])

-- name: add
-- New contacts, and tombstones (those without a blob) for what is not there.
INSERT INTO contactsync.contact (
    tenant_id, connection_id, index_epoch, observed, generation,
    contact_id, source_index, sealed, content_mac, etag_mac, source_version, deleted_at
)
SELECT $1, $2, $3, $4, $5,
    contact_id, source_index, sealed, nullif(substring($9 FROM at FOR 16), $12::bytea),
    nullif(substring($10::bytea FROM at FOR 16), $12), source_version, CASE WHEN sealed IS NULL THEN now() END
FROM ROWS FROM (
    unnest($6::uuid[], $7::bytea[], $8::bytea[], $11::bigint[]), generate_series(1, octet_length($9::bytea), 16)
) AS page (contact_id, source_index, sealed, source_version, at)

-- name: change
-- Changed contacts, and those that are gone (without a blob). The newest version wins, whoever comes last.
UPDATE contactsync.contact AS held
SET index_epoch = $3,
    observed = greatest(held.observed, $4),
    generation = greatest(held.generation, $5),
    sealed = page.sealed,
    content_mac = page.content_mac,
    etag_mac = page.etag_mac,
    source_version = page.source_version,
    deleted_at = CASE WHEN page.sealed IS NULL THEN now() END,
    merged_into = CASE WHEN page.sealed IS NULL THEN held.merged_into END,
    delete_held = CASE WHEN page.sealed IS NOT NULL AND held.delete_held > $4 THEN held.delete_held END,
    changed_at = now()
FROM (
    SELECT contact_id, source_index, sealed, nullif(substring($9 FROM at FOR 16), $12::bytea) AS content_mac,
        nullif(substring($10::bytea FROM at FOR 16), $12) AS etag_mac, source_version
    FROM ROWS FROM (
        unnest($6::uuid[], $7::bytea[], $8::bytea[], $11::bigint[]), generate_series(1, octet_length($9::bytea), 16)
    ) AS columns (contact_id, source_index, sealed, source_version, at)
) AS page
WHERE held.tenant_id = $1 AND held.connection_id = $2 AND held.source_index = page.source_index
    AND held.source_index = ANY ($7::bytea[])  -- else a plan may read the whole connection for each page
    AND held.contact_id IS NOT DISTINCT FROM page.contact_id  -- `=` would let another index in
    AND CASE
        WHEN held.source_version <> page.source_version THEN held.source_version < page.source_version
        ELSE held.observed <= $4
    END

-- name: seen
-- Contacts that were listed unchanged, while no deletion waits for a decision; what is gone stays gone.
UPDATE contactsync.contact
SET observed = greatest(observed, $4), generation = greatest(generation, $5)
WHERE tenant_id = $1 AND connection_id = $2 AND source_index = ANY ($3::bytea[]) AND deleted_at IS NULL

-- name: touch
-- Contacts that were listed and are equal to what is held.
UPDATE contactsync.contact AS held
SET etag_mac = page.etag_mac, source_version = page.source_version, observed = page.observed,
    generation = page.generation, delete_held = page.delete_held
FROM unnest($3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
    AS page (source_index, etag_mac, source_version, observed, generation, delete_held)
WHERE held.tenant_id = $1 AND held.connection_id = $2 AND held.source_index = page.source_index
    AND held.source_index = ANY ($3::bytea[])  -- else a plan may read the whole connection for each page

-- name: hold
-- Contacts whose deletion waits for a decision.
UPDATE contactsync.contact
SET delete_held = greatest(delete_held, $4)
WHERE tenant_id = $1 AND connection_id = $2 AND source_index = ANY ($3::bytea[])

-- name: held_lookups
-- Where contacts that changed, or are gone, were found until now.
SELECT kind, epoch, blind_index, contact_id
FROM contactsync.contact_lookup
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[])

-- name: drop_lookups
-- They are found there no more.
DELETE FROM contactsync.contact_lookup
WHERE tenant_id = $1
    AND (kind, epoch, blind_index, contact_id) IN (
        SELECT kind, epoch, blind_index, contact_id
        FROM unnest($2::text[], $3::int[], $4::bytea[], $5::uuid[]) AS page (kind, epoch, blind_index, contact_id)
    )
    AND contact_id = ANY ($5::uuid[])  -- else a plan may read the whole tenant

-- name: add_lookups
-- They are found here now.
INSERT INTO contactsync.contact_lookup (tenant_id, epoch, kind, blind_index, contact_id)
SELECT $1::uuid, $2::integer, 'email', substring($3 FROM at FOR 16), contact_id
FROM ROWS FROM (unnest($4::uuid[]), generate_series(1, octet_length($3::bytea), 16)) AS email (contact_id, at)
UNION ALL
SELECT $1::uuid, $2::integer, 'phone', substring($5 FROM at FOR 16), contact_id
FROM ROWS FROM (unnest($6::uuid[]), generate_series(1, octet_length($5::bytea), 16)) AS phone (contact_id, at)

-- name: has_quarantine
-- Whether anything of the connection is set aside. Most have nothing, and a page's indexes need not be sent then.
SELECT EXISTS (SELECT FROM contactsync.quarantine WHERE tenant_id = $1 AND connection_id = $2)

-- name: clear_quarantine
-- What arrived well, or is gone, is set aside no longer.
DELETE FROM contactsync.quarantine
WHERE tenant_id = $1 AND connection_id = $2 AND source_index = ANY ($3::bytea[]) AND observed <= $4

-- name: set_quarantine
-- What cannot be kept is remembered with its reason.
INSERT INTO contactsync.quarantine AS held
    (tenant_id, connection_id, pass_id, observed, generation, index_epoch, source_index, reason, sealed_source_id)
SELECT $1, $2, $3, $4, $5, $6, source_index, reason, sealed_source_id
FROM unnest($7::bytea[], $8::text[], $9::bytea[]) AS page (source_index, reason, sealed_source_id)
ON CONFLICT (tenant_id, connection_id, source_index) DO UPDATE
SET pass_id = excluded.pass_id, observed = excluded.observed,
    generation = greatest(held.generation, excluded.generation), reason = excluded.reason,
    sealed_source_id = excluded.sealed_source_id, seen_at = now()
WHERE held.observed <= excluded.observed

-- name: find
-- The live contacts that have an address, at its index of each epoch. Look-ups are read once, whatever the plan: joined,
-- those of a tenant that statistics do not know yet may be read anew for each of its contacts.
SELECT contact_id, connection_id, sealed, created_at, changed_at
FROM contactsync.contact
WHERE tenant_id = $1 AND deleted_at IS NULL AND contact_id = ANY (ARRAY(
    SELECT contact_id
    FROM contactsync.contact_lookup
    WHERE tenant_id = $1 AND kind = $2 AND epoch = ANY ($3::int[]) AND blind_index = ANY ($4::bytea[])
))
ORDER BY created_at, contact_id

-- name: get
-- One live contact; of one that was merged, the one it lives on in, however many merges later. Each is looked up by its id
-- alone, whatever statistics say: joined otherwise, all of a tenant may be read for one.
WITH RECURSIVE chain AS (
    SELECT contact_id, merged_into
    FROM contactsync.contact
    WHERE tenant_id = $1 AND contact_id = $2
    UNION
    SELECT next.contact_id, next.merged_into
    FROM chain
    CROSS JOIN LATERAL (
        SELECT contact_id, merged_into
        FROM contactsync.contact
        WHERE tenant_id = $1 AND contact_id = chain.merged_into
        OFFSET 0
    ) AS next
)
SELECT found.*
FROM chain
CROSS JOIN LATERAL (
    SELECT contact_id, connection_id, sealed, created_at, changed_at
    FROM contactsync.contact
    WHERE tenant_id = $1 AND contact_id = chain.contact_id AND deleted_at IS NULL
    OFFSET 0
) AS found

-- name: live_after
-- The live contacts of a connection, so many at a time, in the order of their ids.
SELECT contact_id, connection_id, sealed, created_at, changed_at
FROM contactsync.contact
WHERE tenant_id = $1 AND connection_id IS NOT DISTINCT FROM $2  -- `=` would let an index without this order in
    AND deleted_at IS NULL AND contact_id > $3
ORDER BY contact_id
LIMIT $4

-- name: counts
-- How many contacts a connection has, had, and has set aside.
SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS live, count(*) FILTER (WHERE deleted_at IS NOT NULL) AS gone,
    count(*) FILTER (WHERE delete_held IS NOT NULL) AS held,
    (
        SELECT count(*)
        FROM contactsync.quarantine
        WHERE tenant_id = $1 AND connection_id = $2
    ) AS quarantined
FROM contactsync.contact
WHERE tenant_id = $1 AND connection_id = $2

-- name: quarantined
-- What a connection has set aside, the latest first.
SELECT reason, sealed_source_id, source_index, first_seen_at, seen_at
FROM contactsync.quarantine
WHERE tenant_id = $1 AND connection_id = $2
ORDER BY seen_at DESC, source_index
