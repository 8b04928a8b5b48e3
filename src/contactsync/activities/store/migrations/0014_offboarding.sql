-- Offboarding a tenant: from disabled over a quarantine to nothing. Ids, codes, counts and times only.

-- One row for each tenant that is being offboarded, or was. `openings`: one for each workflow that works on it, the
-- last of them is the one that may. From `decided_at` on nothing can be undone; since `effective_at` the keys are gone
-- from the live key store. `deleted` counts the rows of each table.
CREATE TABLE contactsync.offboarding (
    tenant_id uuid PRIMARY KEY REFERENCES contactsync.tenant,
    openings uuid[] NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    quarantine_until timestamptz NOT NULL,
    cancelled_at timestamptz,
    decided_at timestamptz,
    effective_at timestamptz,
    deleted jsonb NOT NULL DEFAULT '{}',
    executions bigint,
    CONSTRAINT offboarding_not_undone CHECK (cancelled_at IS NULL OR decided_at IS NULL),
    CONSTRAINT offboarding_in_order CHECK (effective_at IS NULL OR decided_at IS NOT NULL)
);

-- What was done, as a signed note; it is issued once and stays.
CREATE TABLE contactsync.certificate (
    tenant_id uuid PRIMARY KEY REFERENCES contactsync.tenant,
    issued_at timestamptz NOT NULL,
    note text NOT NULL
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['offboarding', 'certificate'] LOOP
        EXECUTE format('ALTER TABLE contactsync.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE contactsync.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_rows ON contactsync.%I USING (tenant_id = contactsync.current_tenant())', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON contactsync.offboarding TO contactsync_app;
GRANT SELECT, INSERT ON contactsync.certificate TO contactsync_app;

-- Deletes up to `most` rows of the present tenant, of every table that has a `tenant_id`, also of those that later
-- migrations make: first what refers to other tables, last what refers to none. What tells of the offboarding stays.
-- Roles that may not delete contacts may delete them so, of a tenant whose end is decided and of no other.
CREATE FUNCTION contactsync.delete_offboarded(most integer)
RETURNS TABLE (relation text, deleted bigint)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine uuid := contactsync.current_tenant();
    room bigint := most;
    found record;
BEGIN
    IF NOT EXISTS (
        SELECT FROM contactsync.offboarding o JOIN contactsync.tenant t USING (tenant_id)
        WHERE o.tenant_id = mine AND o.decided_at IS NOT NULL AND t.disabled_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'the end of this tenant is not decided' USING ERRCODE = 'restrict_violation';
    END IF;
    -- whoever writes for a connection holds it or a row that refers to it: wait for them, and let no other begin
    PERFORM FROM contactsync.connection c WHERE c.tenant_id = mine FOR UPDATE;
    FOR found IN
        WITH RECURSIVE tables AS (
            SELECT c.oid, c.relname
            FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
            WHERE c.relnamespace = 'contactsync'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                AND c.relname NOT IN ('tenant', 'offboarding', 'certificate')
        ),
        depth AS (
            SELECT oid, 0 AS level FROM tables
            UNION
            SELECT k.conrelid, d.level + 1
            FROM depth d
            JOIN pg_constraint k ON k.contype = 'f' AND k.confrelid = d.oid AND k.conrelid <> d.oid
        )
        SELECT t.relname, max(d.level) AS level
        FROM tables t JOIN depth d USING (oid)
        GROUP BY t.relname
        ORDER BY max(d.level) DESC, t.relname COLLATE "C"
    LOOP
        EXIT WHEN room <= 0;
        EXECUTE format(
            'DELETE FROM contactsync.%1$I WHERE tenant_id = $1'
            ' AND ctid = ANY (ARRAY(SELECT ctid FROM contactsync.%1$I WHERE tenant_id = $1 LIMIT $2))',
            found.relname
        ) USING mine, room;
        GET DIAGNOSTICS deleted = ROW_COUNT;
        IF deleted > 0 THEN
            relation := found.relname;
            room := room - deleted;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION contactsync.delete_offboarded(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION contactsync.delete_offboarded(integer) TO contactsync_app;
