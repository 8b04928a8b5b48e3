-- Tenants, their connections, and how far each connection's sync has come. Nothing here is about a person; a
-- connection's settings (they hold a user name) and its cursor (often a bearer token) are sealed.

-- The tenant whose rows the present transaction may see; NULL, which equals nothing, when none was set.
CREATE FUNCTION contactsync.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;

CREATE TABLE contactsync.tenant (
    tenant_id uuid PRIMARY KEY,
    label text NOT NULL,
    policy jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);

CREATE TABLE contactsync.connection (
    tenant_id uuid NOT NULL REFERENCES contactsync.tenant,
    connection_id uuid NOT NULL UNIQUE,
    kind text NOT NULL,
    sealed_settings bytea NOT NULL,
    secret_ref text,
    interval_seconds integer NOT NULL CHECK (interval_seconds > 0),
    jitter_seconds integer NOT NULL CHECK (jitter_seconds >= 0),
    page_rows integer CHECK (page_rows > 0),
    paused text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, connection_id)
);

-- One row a connection, made with it: its lock is what all writers of the connection wait for, and its epoch is
-- what fences those that were overtaken. `result` is what the commit of the last page answered.
CREATE TABLE contactsync.progress (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    pass_id uuid,
    page integer NOT NULL DEFAULT 0,
    open boolean NOT NULL DEFAULT false,
    cursor bytea,
    cursor_full boolean NOT NULL DEFAULT false,
    generation bigint NOT NULL DEFAULT 0,
    result jsonb,
    started_at timestamptz,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection
);

-- The history: the counts are the sum of the pass's pages, each page exactly once.
CREATE TABLE contactsync.pass (
    tenant_id uuid NOT NULL,
    pass_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    epoch bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    outcome text,
    pages bigint NOT NULL DEFAULT 0,
    downloaded bigint NOT NULL DEFAULT 0,
    added bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, pass_id),
    UNIQUE (tenant_id, connection_id, epoch),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection,
    CONSTRAINT pass_ended_with_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
);

-- Long listings that a source asked to keep while it works through them, sealed in parts.
CREATE TABLE contactsync.stash (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    handle uuid NOT NULL,
    part integer NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, connection_id, handle, part),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tenant', 'connection', 'progress', 'pass', 'stash'] LOOP
        EXECUTE format('ALTER TABLE contactsync.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE contactsync.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_rows ON contactsync.%I USING (tenant_id = contactsync.current_tenant())', name);
    END LOOP;
END
$$;

-- `tenant list` and the like look across tenants; they may only look
CREATE POLICY directory_reads ON contactsync.tenant FOR SELECT
    USING (current_setting('app.scope', true) = 'directory');
CREATE POLICY directory_reads ON contactsync.connection FOR SELECT
    USING (current_setting('app.scope', true) = 'directory');

GRANT SELECT, INSERT, UPDATE ON contactsync.tenant, contactsync.connection, contactsync.progress, contactsync.pass
    TO contactsync_app;
GRANT SELECT, INSERT, DELETE ON contactsync.stash TO contactsync_app;
