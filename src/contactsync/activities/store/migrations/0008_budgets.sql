-- What provider accounts allow, and who fetches from them now. An account is a keyed digest of its tenant's key.

-- One row for each account with limits, or whose provider spoke of some. `tokens` are requests that may be sent at
-- `counted_at`; below 0: debt. `windows` is what the provider said last.
CREATE TABLE contactsync.budget (
    tenant_id uuid NOT NULL REFERENCES contactsync.tenant,
    account bytea NOT NULL,
    tokens double precision,
    backfill_tokens double precision,
    counted_at timestamptz NOT NULL DEFAULT now(),
    day date,
    day_requests bigint NOT NULL DEFAULT 0,
    windows jsonb NOT NULL DEFAULT '[]',
    blocked_until timestamptz,
    refusals integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, account)
);

-- One row for each fetch that runs (`held_until`) or waits for its turn (`due_at`: when it asks again).
CREATE TABLE contactsync.budget_lease (
    tenant_id uuid NOT NULL,
    lease text NOT NULL,
    connection_id uuid NOT NULL,
    account bytea NOT NULL,
    lane text NOT NULL CHECK (lane IN ('live', 'backfill')),
    since timestamptz NOT NULL,
    held_until timestamptz,
    due_at timestamptz,
    PRIMARY KEY (tenant_id, lease),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection,
    CONSTRAINT budget_lease_runs_or_waits CHECK ((held_until IS NULL) <> (due_at IS NULL))
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['budget', 'budget_lease'] LOOP
        EXECUTE format('ALTER TABLE contactsync.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE contactsync.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_rows ON contactsync.%I USING (tenant_id = contactsync.current_tenant())', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON contactsync.budget TO contactsync_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON contactsync.budget_lease TO contactsync_app;
