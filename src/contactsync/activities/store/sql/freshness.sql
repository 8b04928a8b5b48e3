-- How fresh connections are, in one statement for all of them.

-- name: look_across
-- The rest of the transaction may read connections and passes of all tenants, and write nothing of them.
SELECT set_config('app.scope', 'freshness', true)

-- name: standings
-- Every connection (or one), with its newest completed pass, its newest pass and the deletions that wait, by the
-- database's clock.
SELECT c.tenant_id, c.connection_id, c.kind, c.paused, c.interval_seconds, c.created_at,
    coalesce(c.objective_seconds, 2 * c.interval_seconds) AS objective_seconds, coalesce(hold.contacts, 0) AS held,
    done.ended_at AS completed_at, last.*, now() AS at
FROM contactsync.connection c
LEFT JOIN LATERAL (
    SELECT p.ended_at
    FROM contactsync.pass p
    WHERE p.tenant_id = c.tenant_id AND p.connection_id = c.connection_id AND p.outcome = 'completed'
    ORDER BY p.ended_at DESC
    LIMIT 1
) done ON true
LEFT JOIN LATERAL (
    SELECT p.pass_id, p.epoch, p.started_at, p.ended_at, p.outcome,
        p.pages, p.downloaded, p.added, p.updated, p.unchanged, p.deleted, p.quarantined, p.held AS pass_held
    FROM contactsync.pass p
    WHERE p.tenant_id = c.tenant_id AND p.connection_id = c.connection_id
    ORDER BY p.epoch DESC
    LIMIT 1
) last ON true
LEFT JOIN contactsync.delete_hold hold
    ON hold.tenant_id = c.tenant_id AND hold.connection_id = c.connection_id AND hold.decided_at IS NULL
WHERE $1::uuid IS NULL OR c.connection_id = $1
ORDER BY c.created_at, c.connection_id
