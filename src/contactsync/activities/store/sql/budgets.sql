-- Budgets of provider accounts: what is left of them, who fetches, and who waits. Times are the database's own.

-- name: lock_tenant
-- Until the transaction ends, nobody else decides about this tenant's fetches.
SELECT pg_advisory_xact_lock(hashtextextended('contactsync.budget/' || $1::uuid::text, 0))

-- name: standing
-- Where the account and the tenant stand for one who asks: `ahead` wait in front of it, `due` of them come at once.
-- A fetch that asks to go on ($7) is behind all who wait.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
mine AS MATERIALIZED (
    SELECT now, coalesce(CASE WHEN NOT $7::boolean THEN l.since END, now) AS since, coalesce(l.held_until > now, false) AS held
    FROM clock LEFT JOIN contactsync.budget_lease l ON l.tenant_id = $1 AND l.lease = $3
),
others AS (
    SELECT
        l.account = $2 AS same,
        l.lane,
        coalesce(l.held_until > mine.now, false) AS held,
        coalesce(l.due_at > mine.now - $5::float8 * interval '1 second', false)
            AND (l.lane = 'backfill', l.since, l.lease) < ($4::text = 'backfill', mine.since, $3::text) AS ahead,
        l.due_at <= mine.now + $6::float8 * interval '1 second' AS soon
    FROM mine JOIN contactsync.budget_lease l ON l.tenant_id = $1 AND l.lease <> $3
),
counted AS (
    SELECT
        count(*) FILTER (WHERE held) AS tenant_held,
        count(*) FILTER (WHERE held AND lane = 'backfill') AS tenant_backfill,
        count(*) FILTER (WHERE ahead) AS tenant_ahead,
        count(*) FILTER (WHERE ahead AND soon) AS tenant_due,
        count(*) FILTER (WHERE held AND same) AS held,
        count(*) FILTER (WHERE held AND same AND lane = 'backfill') AS backfill,
        count(*) FILTER (WHERE ahead AND same) AS ahead,
        count(*) FILTER (WHERE ahead AND soon AND same) AS due
    FROM others
)
SELECT mine.now, mine.held AS mine, counted.*, b.account IS NOT NULL AS known, b.tokens, b.backfill_tokens,
    b.counted_at, b.day, b.day_requests, b.windows, b.blocked_until, b.refusals
FROM mine CROSS JOIN counted
LEFT JOIN contactsync.budget b ON b.tenant_id = $1 AND b.account = $2

-- name: hold
-- The fetch may go; what has run out goes too.
WITH swept AS (
    DELETE FROM contactsync.budget_lease
    WHERE tenant_id = $1 AND lease <> $2
        AND coalesce(held_until, due_at + interval '1 hour') < clock_timestamp()
)
INSERT INTO contactsync.budget_lease (tenant_id, lease, connection_id, account, lane, since, held_until)
VALUES ($1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp() + $6::float8 * interval '1 second')
ON CONFLICT (tenant_id, lease) DO UPDATE SET held_until = excluded.held_until, due_at = NULL, account = excluded.account

-- name: wait
-- The fetch has to wait; it keeps the place that it has had since it first asked.
INSERT INTO contactsync.budget_lease (tenant_id, lease, connection_id, account, lane, since, due_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp() + $6::float8 * interval '1 second')
ON CONFLICT (tenant_id, lease) DO UPDATE SET held_until = NULL, due_at = excluded.due_at, account = excluded.account

-- name: give_back
-- The fetch has ended; whether it held a lease.
DELETE FROM contactsync.budget_lease
WHERE tenant_id = $1 AND lease = $2
RETURNING held_until IS NOT NULL AS held

-- name: give_back_only
-- The same where there is nothing to charge: an answer came, so that refusals are no longer in a row.
WITH gone AS (
    DELETE FROM contactsync.budget_lease WHERE tenant_id = $1 AND lease = $2
)
UPDATE contactsync.budget SET refusals = 0
WHERE tenant_id = $1 AND account = $3 AND refusals > 0

-- name: save_budget
-- What is left of the account's budget.
INSERT INTO contactsync.budget (
    tenant_id, account, tokens, backfill_tokens, counted_at, day, day_requests, windows, blocked_until, refusals
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (tenant_id, account) DO UPDATE
SET tokens = $3, backfill_tokens = $4, counted_at = $5, day = $6, day_requests = $7, windows = $8,
    blocked_until = $9, refusals = $10

-- name: state
-- What an operator may see of an account.
SELECT clock_timestamp() AS now, b.tokens, b.backfill_tokens, b.counted_at, b.day, b.day_requests, b.windows,
    b.blocked_until, b.refusals,
    count(l.lease) FILTER (WHERE l.account = $2 AND l.held_until > clock_timestamp() AND l.lane = 'live') AS live,
    count(l.lease) FILTER (WHERE l.account = $2 AND l.held_until > clock_timestamp() AND l.lane = 'backfill')
        AS backfill,
    count(l.lease) FILTER (WHERE l.account = $2 AND l.due_at > clock_timestamp() - $3::float8 * interval '1 second')
        AS waiting,
    count(l.lease) FILTER (WHERE l.held_until > clock_timestamp()) AS tenant_held
FROM (SELECT $1::uuid AS tenant_id, $2::bytea AS account) AS asked
LEFT JOIN contactsync.budget b USING (tenant_id, account)
LEFT JOIN contactsync.budget_lease l ON l.tenant_id = asked.tenant_id
GROUP BY b.tenant_id, b.account
