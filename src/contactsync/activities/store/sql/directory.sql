-- Tenants and connections.

-- name: add_tenant
-- A new tenant; its keys are there already.
INSERT INTO contactsync.tenant (tenant_id, label, policy)
VALUES ($1, $2, $3)
RETURNING tenant_id, label, policy, created_at, disabled_at

-- name: lock_policy
-- A tenant's policy, held so until the transaction ends.
SELECT policy
FROM contactsync.tenant
WHERE tenant_id = $1
FOR UPDATE

-- name: set_policy
-- Another policy for a tenant.
UPDATE contactsync.tenant
SET policy = $2
WHERE tenant_id = $1
RETURNING tenant_id, label, policy, created_at, disabled_at

-- name: get_tenant
-- One tenant.
SELECT tenant_id, label, policy, created_at, disabled_at
FROM contactsync.tenant
WHERE tenant_id = $1

-- name: works
-- Whether the tenant is not disabled, and stays so until the transaction ends.
SELECT disabled_at IS NULL
FROM contactsync.tenant
WHERE tenant_id = $1
FOR SHARE

-- name: list_tenants
-- All tenants, the oldest first.
SELECT tenant_id, label, policy, created_at, disabled_at
FROM contactsync.tenant
ORDER BY created_at, tenant_id

-- name: add_connection
-- A new connection.
INSERT INTO contactsync.connection
    (tenant_id, connection_id, kind, sealed_settings, secret_ref, interval_seconds, jitter_seconds, page_rows,
    objective_seconds)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING *

-- name: add_progress
-- Where the connection's sync will stand.
INSERT INTO contactsync.progress (tenant_id, connection_id)
VALUES ($1, $2)

-- name: find_connection
-- One connection, whatever its tenant.
SELECT *
FROM contactsync.connection
WHERE connection_id = $1

-- name: get_connection
-- One connection of a tenant.
SELECT *
FROM contactsync.connection
WHERE tenant_id = $1 AND connection_id = $2

-- name: list_connections
-- The connections of one tenant or of all, the oldest first.
SELECT *
FROM contactsync.connection
WHERE $1::uuid IS NULL OR tenant_id = $1
ORDER BY created_at, connection_id

-- name: lock_connection
-- Whether a connection is paused, held so until the transaction ends.
SELECT paused
FROM contactsync.connection
WHERE tenant_id = $1 AND connection_id = $2
FOR UPDATE

-- name: set_paused
-- A connection is paused, or no longer is.
UPDATE contactsync.connection
SET paused = $3
WHERE tenant_id = $1 AND connection_id = $2
