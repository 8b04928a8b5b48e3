-- name: add_tenant_key
-- Waits for a racing transaction, then leaves its key in place.
INSERT INTO keys.tenant_key (tenant_id, version, kid, wrapped)
VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, version) DO NOTHING

-- name: tenant_key
-- One version, or the newest where none is named.
SELECT kid, tenant_id, version, wrapped
FROM keys.tenant_key
WHERE tenant_id = $1 AND ($2::integer IS NULL OR version = $2)
ORDER BY version DESC
LIMIT 1

-- name: add_data_key
-- Waits for a racing transaction, then leaves its key in place. A destroyed tenant key gets no more children: the
-- lock waits for a destruction that is under way.
INSERT INTO keys.data_key (kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
FROM keys.tenant_key
WHERE tenant_id = $2 AND version = $5 AND wrapped IS NOT NULL
FOR SHARE
ON CONFLICT (tenant_id, purpose, epoch) DO NOTHING

-- name: data_key
-- Row-level security decides which purposes this role may see.
SELECT kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at, held_at
FROM keys.data_key
WHERE kid = $1

-- name: data_keys
-- A tenant's keys of some purposes.
SELECT kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at, held_at
FROM keys.data_key
WHERE tenant_id = $1 AND purpose = ANY($2::text[])
ORDER BY purpose COLLATE "C", epoch

-- name: data_key_of
-- The one key of a tenant, purpose and epoch.
SELECT kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at, held_at
FROM keys.data_key
WHERE tenant_id = $1 AND purpose = $2 AND epoch = $3

-- name: due
-- Keys whose destroy date has come, behind a place in the order of tenants and key ids.
SELECT kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at, held_at
FROM keys.data_key
WHERE wrapped IS NOT NULL AND destroy_at <= $1
    AND ($3::uuid IS NULL OR tenant_id = $3)
    AND ($4::uuid IS NULL OR (tenant_id, kid) > ($4, $5::bytea))
ORDER BY tenant_id, kid
LIMIT $2

-- name: hold_data_key
-- Once: what is held stays held until it is destroyed.
UPDATE keys.data_key SET held_at = $2
WHERE kid = $1 AND wrapped IS NOT NULL AND held_at IS NULL AND purpose = 'payload'
RETURNING 1

-- name: counts
-- How many keys there are of each tenant and purpose.
SELECT tenant_id, purpose,
    count(*) FILTER (WHERE wrapped IS NOT NULL) AS live,
    count(*) FILTER (WHERE wrapped IS NULL) AS destroyed,
    count(*) FILTER (WHERE wrapped IS NOT NULL AND held_at IS NOT NULL) AS held,
    count(*) FILTER (WHERE wrapped IS NOT NULL AND held_at IS NULL AND destroy_at <= $1) AS overdue,
    max(epoch) AS newest,
    min(destroy_at) FILTER (WHERE wrapped IS NOT NULL) AS next_destroy
FROM keys.data_key
WHERE $2::uuid IS NULL OR tenant_id = $2
GROUP BY tenant_id, purpose
ORDER BY tenant_id, purpose COLLATE "C"

-- name: tally
-- By the two partial indexes alone.
SELECT (SELECT count(*) FROM keys.data_key WHERE wrapped IS NOT NULL AND held_at IS NOT NULL) AS held,
    (SELECT count(*) FROM keys.data_key WHERE wrapped IS NOT NULL AND held_at IS NULL AND destroy_at <= $1) AS overdue

-- name: held
-- All that are held, of all tenants.
SELECT kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at, held_at
FROM keys.data_key
WHERE wrapped IS NOT NULL AND held_at IS NOT NULL
ORDER BY destroy_at, kid

-- name: tenant_keys
-- All versions of one tenant's key, or of all.
SELECT kid, tenant_id, version, wrapped
FROM keys.tenant_key
WHERE $1::uuid IS NULL OR tenant_id = $1
ORDER BY tenant_id, version

-- name: destroy_data_key
-- The wrapped bytes go, the row stays.
UPDATE keys.data_key SET wrapped = NULL, destroyed_at = $2
WHERE kid = $1 AND wrapped IS NOT NULL
RETURNING 1

-- name: hold_tenant_key
-- A version that is about to wrap: until the transaction ends, nobody destroys it.
SELECT true
FROM keys.tenant_key
WHERE tenant_id = $1 AND version = $2 AND wrapped IS NOT NULL
FOR SHARE

-- name: rewrap_data_keys
-- The same keys under a newer version of their tenant's key.
UPDATE keys.data_key AS held
SET wrapped = again.wrapped, tenant_version = $2
FROM unnest($3::bytea[], $4::bytea[]) AS again (kid, wrapped)
WHERE held.kid = again.kid AND held.tenant_id = $1 AND held.tenant_version < $2 AND held.wrapped IS NOT NULL
RETURNING 1

-- name: lock_older_tenant_keys
-- Who adds a child to one of them meanwhile waits, and is refused if it is destroyed.
SELECT version
FROM keys.tenant_key
WHERE tenant_id = $1 AND version < $2 AND wrapped IS NOT NULL
ORDER BY version
FOR UPDATE

-- name: retire_tenant_keys
-- Versions that wrap nothing any more, while a newer one does.
UPDATE keys.tenant_key AS old
SET wrapped = NULL, destroyed_at = $3
WHERE old.tenant_id = $1 AND old.version < $2 AND old.wrapped IS NOT NULL
    AND EXISTS (SELECT FROM keys.tenant_key WHERE tenant_id = $1 AND version = $2 AND wrapped IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM keys.data_key AS child
        WHERE child.tenant_id = $1 AND child.tenant_version = old.version AND child.wrapped IS NOT NULL
    )
RETURNING 1

-- name: rewrap_tenant_key
-- The same tenant key under a newer version of the root key, unless another process was faster.
UPDATE keys.tenant_key SET wrapped = $3
WHERE tenant_id = $1 AND version = $2 AND wrapped = $4
RETURNING 1

-- name: destroy_tenant_keys
-- First of the two, so that no data key is added between (see add_data_key).
UPDATE keys.tenant_key SET wrapped = NULL, destroyed_at = $2
WHERE tenant_id = $1 AND wrapped IS NOT NULL
RETURNING 1

-- name: destroy_data_keys
-- All data keys of a tenant.
UPDATE keys.data_key SET wrapped = NULL, destroyed_at = $2
WHERE tenant_id = $1 AND wrapped IS NOT NULL
RETURNING 1

-- name: health
-- Both tables are there and may be read.
SELECT (SELECT count(*) FROM (SELECT FROM keys.tenant_key LIMIT 1) t),
       (SELECT count(*) FROM (SELECT FROM keys.data_key LIMIT 1) d)
