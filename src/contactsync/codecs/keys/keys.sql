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
SELECT kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at
FROM keys.data_key
WHERE kid = $1

-- name: data_keys
-- A tenant's keys of some purposes.
SELECT kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at
FROM keys.data_key
WHERE tenant_id = $1 AND purpose = ANY($2::text[])
ORDER BY purpose COLLATE "C", epoch

-- name: data_key_of
-- The one key of a tenant, purpose and epoch.
SELECT kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at
FROM keys.data_key
WHERE tenant_id = $1 AND purpose = $2 AND epoch = $3

-- name: due
-- Keys whose destroy date has come.
SELECT kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at
FROM keys.data_key
WHERE wrapped IS NOT NULL AND destroy_at <= $1
ORDER BY destroy_at, kid
LIMIT $2

-- name: destroy_data_key
-- The wrapped bytes go, the row stays.
UPDATE keys.data_key SET wrapped = NULL, destroyed_at = $2
WHERE kid = $1 AND wrapped IS NOT NULL
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
