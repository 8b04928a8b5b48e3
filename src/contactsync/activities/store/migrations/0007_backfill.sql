-- Backfills: complete listings beside live sync, in parts, each resumable to the page.

-- `number` counts a connection's backfills from 1; `epoch` its openings. `cutoff` is the live epoch whose pages it
-- comes after, `generation` its own; both NULL until it is planned. `merged` and `live` as in `pass`.
CREATE TABLE contactsync.backfill (
    tenant_id uuid NOT NULL,
    backfill_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    state text NOT NULL DEFAULT 'requested',
    paused boolean NOT NULL DEFAULT false,
    since timestamptz,
    rows_per_second double precision CHECK (rows_per_second > 0),
    dry_run boolean NOT NULL,
    parallel integer NOT NULL CHECK (parallel > 0),
    epoch bigint NOT NULL DEFAULT 0,
    openings uuid[] NOT NULL DEFAULT '{}',
    cutoff bigint,
    generation bigint,
    total bigint,
    counts jsonb NOT NULL DEFAULT '{}',
    merged bigint NOT NULL DEFAULT 0,
    live bigint,
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, backfill_id),
    UNIQUE (tenant_id, connection_id, number),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection,
    CONSTRAINT backfill_planned CHECK ((cutoff IS NULL) = (generation IS NULL))
);
CREATE UNIQUE INDEX backfill_under_way ON contactsync.backfill (tenant_id, connection_id) WHERE ended_at IS NULL;

-- One row for each part: the last page committed, the cursor that follows it, and what its commit answered.
CREATE TABLE contactsync.backfill_part (
    tenant_id uuid NOT NULL,
    backfill_id uuid NOT NULL,
    part integer NOT NULL CHECK (part >= 0),
    page integer NOT NULL DEFAULT 0,
    cursor bytea,
    done boolean NOT NULL DEFAULT false,
    result jsonb,
    PRIMARY KEY (tenant_id, backfill_id, part),
    FOREIGN KEY (tenant_id, backfill_id) REFERENCES contactsync.backfill
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['backfill', 'backfill_part'] LOOP
        EXECUTE format('ALTER TABLE contactsync.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE contactsync.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_rows ON contactsync.%I USING (tenant_id = contactsync.current_tenant())', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON contactsync.backfill, contactsync.backfill_part TO contactsync_app;
