-- Sealed payloads that are kept beside Temporal.

-- name: stage
-- Payloads of one run; each has a number of its own.
INSERT INTO contactsync.staged_payload (tenant_id, object_id, workflow_id, run_id, payload)
SELECT $1, staged.object_id, $2, $3, staged.payload
FROM unnest($4::uuid[], $5::bytea[]) AS staged (object_id, payload)

-- name: staged
-- Those of these numbers that are there.
SELECT object_id, payload
FROM contactsync.staged_payload
WHERE tenant_id = $1 AND object_id = ANY($2::uuid[])

-- name: drop_earlier_runs
-- What the runs before this one of a workflow left.
DELETE FROM contactsync.staged_payload
WHERE tenant_id = $1 AND workflow_id = $2 AND run_id <> $3

-- name: drop_run
-- What one run left.
DELETE FROM contactsync.staged_payload
WHERE tenant_id = $1 AND run_id = $2
RETURNING object_id

-- name: runs
-- Runs that have staged something, none of it lately; after a given one, in their order.
SELECT tenant_id, workflow_id, run_id
FROM contactsync.staged_payload
WHERE (tenant_id, run_id) > ($1, $2)
GROUP BY tenant_id, workflow_id, run_id
HAVING max(created_at) < now() - $3::float8 * interval '1 second'
ORDER BY tenant_id, run_id
LIMIT $4
