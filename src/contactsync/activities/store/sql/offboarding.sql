-- A tenant on its way out.

-- name: lock_tenant
-- Since when the tenant is disabled, held so until the transaction ends.
SELECT disabled_at
FROM contactsync.tenant
WHERE tenant_id = $1
FOR UPDATE

-- name: get
-- How far it is.
SELECT *
FROM contactsync.offboarding
WHERE tenant_id = $1

-- name: request
-- It begins, or begins anew after it was cancelled.
INSERT INTO contactsync.offboarding (tenant_id, openings, quarantine_until)
VALUES ($1, ARRAY[$2::uuid], now() + $3::float8 * interval '1 second')
ON CONFLICT (tenant_id) DO UPDATE
SET openings = offboarding.openings || $2::uuid, requested_at = now(), quarantine_until = excluded.quarantine_until,
    cancelled_at = NULL
RETURNING *

-- name: take_over
-- Another workflow works on it; what was decided stays decided, and the quarantine goes on.
UPDATE contactsync.offboarding
SET openings = openings || $2::uuid
WHERE tenant_id = $1
RETURNING *

-- name: disable
-- Nothing new begins for this tenant.
UPDATE contactsync.tenant
SET disabled_at = now()
WHERE tenant_id = $1

-- name: pause
-- What watches connections sees why they rest.
UPDATE contactsync.connection
SET paused = 'TenantDisabled'
WHERE tenant_id = $1 AND paused IS NULL

-- name: enable
-- It may work again.
UPDATE contactsync.tenant
SET disabled_at = NULL
WHERE tenant_id = $1

-- name: unpause
-- What was paused only because the tenant was disabled goes on.
UPDATE contactsync.connection
SET paused = NULL
WHERE tenant_id = $1 AND paused = 'TenantDisabled'

-- name: cancel
-- It was undone.
UPDATE contactsync.offboarding
SET cancelled_at = now()
WHERE tenant_id = $1

-- name: decide
-- From here on nothing can be undone.
UPDATE contactsync.offboarding
SET decided_at = now()
WHERE tenant_id = $1

-- name: destroyed
-- Since when the keys are gone, at the latest: some were destroyed just now ($2), or the time is not known yet.
UPDATE contactsync.offboarding
SET effective_at = clock_timestamp()
WHERE tenant_id = $1 AND decided_at IS NOT NULL AND ($2 OR effective_at IS NULL)
RETURNING 1

-- name: delete_rows
-- A batch of the tenant's rows goes; how many of which table.
SELECT relation, deleted
FROM contactsync.delete_offboarded($1)

-- name: count_deleted
-- What went until now.
UPDATE contactsync.offboarding
SET deleted = $2
WHERE tenant_id = $1

-- name: count_executions
-- How many workflow executions there were to be deleted: the first count stays.
UPDATE contactsync.offboarding
SET executions = $2
WHERE tenant_id = $1 AND executions IS NULL

-- name: forget_label
-- What operators called the tenant is the customer's own.
UPDATE contactsync.tenant
SET label = 'offboarded'
WHERE tenant_id = $1

-- name: add_certificate
-- Issued once.
INSERT INTO contactsync.certificate (tenant_id, issued_at, note)
VALUES ($1, $2, $3)
ON CONFLICT (tenant_id) DO NOTHING

-- name: get_certificate
-- The signed note.
SELECT note
FROM contactsync.certificate
WHERE tenant_id = $1

-- name: log_head
-- The end of the tenant's audit log, and the present.
SELECT seq, hash, clock_timestamp() AS at
FROM audit.head()

-- name: workflows
-- Workflows of the tenant by what the database knows: its connections, and the numbers of their backfills.
SELECT c.connection_id, coalesce(array_agg(b.number) FILTER (WHERE b.number IS NOT NULL), '{}') AS backfills
FROM contactsync.connection c
LEFT JOIN contactsync.backfill b USING (tenant_id, connection_id)
WHERE c.tenant_id = $1
GROUP BY c.connection_id
ORDER BY c.connection_id
