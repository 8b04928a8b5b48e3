-- What all migrations together make, as pg_dump writes it. scripts/dump_schema.py made it; nothing runs it.
CREATE SCHEMA audit;

CREATE SCHEMA contactsync;

CREATE SCHEMA keys;

CREATE FUNCTION audit.append(tenant uuid, after bigint, before bytea, entries text[], hashes bytea[], OUT last_seq bigint, OUT last_hash bytea, OUT appended boolean) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true);
    SELECT head.seq, head.hash INTO last_seq, last_hash FROM audit.head() AS head;
    appended := last_seq = after AND last_hash = before;
    IF NOT appended THEN
        RETURN;
    END IF;
    INSERT INTO audit.entry (tenant_id, seq, entry, hash)
        SELECT tenant, after + link.number, link.entry, link.hash
        FROM unnest(entries, hashes) WITH ORDINALITY AS link (entry, hash, number)
        ORDER BY link.number;
    last_seq := after + cardinality(entries);
    last_hash := hashes[cardinality(hashes)];
END
$$;

CREATE FUNCTION audit.count_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    INSERT INTO audit.chain (tenant_id, entries) VALUES (NEW.tenant_id, NEW.seq)
    ON CONFLICT (tenant_id) DO UPDATE SET entries = greatest(chain.entries, excluded.entries);
    RETURN NULL;
END
$$;

CREATE FUNCTION audit.head(OUT seq bigint, OUT hash bytea) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('contactsync.audit/' || contactsync.current_tenant()::text, 0));
    SELECT last.seq, last.hash INTO seq, hash
        FROM audit.entry AS last
        WHERE last.tenant_id = contactsync.current_tenant()
        ORDER BY last.seq DESC
        LIMIT 1;
    seq := coalesce(seq, 0);
    hash := coalesce(hash, decode(repeat('00', 32), 'hex'));
END
$$;

CREATE FUNCTION audit.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION audit.refuse_wrong_checkpoint() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
    told bytea;
BEGIN
    PERFORM audit.head();
    SELECT entry.hash INTO told FROM audit.entry
        WHERE entry.tenant_id = contactsync.current_tenant() AND entry.seq = NEW.size;
    IF told IS NULL
        OR NEW.tenant_id IS DISTINCT FROM contactsync.current_tenant()
        OR EXISTS (SELECT FROM audit.checkpoint AS c WHERE c.tenant_id = NEW.tenant_id AND c.size >= NEW.size)
        OR NOT starts_with(
            NEW.note, 'contactsync/audit/' || NEW.tenant_id || chr(10) || NEW.size || chr(10) || encode(told, 'base64')
            || chr(10) || chr(10)
        )
    THEN
        RAISE EXCEPTION 'not the next checkpoint of this audit log' USING ERRCODE = 'restrict_violation';
    END IF;
    UPDATE audit.chain SET checkpointed = NEW.size, checkpointed_at = NEW.at WHERE chain.tenant_id = NEW.tenant_id;
    RETURN NEW;
END
$$;

CREATE FUNCTION audit.refuse_wrong_link() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
    last record;
BEGIN
    SELECT head.seq, head.hash INTO last FROM audit.head() AS head;
    IF NEW.tenant_id IS DISTINCT FROM contactsync.current_tenant()
        OR NEW.seq <> last.seq + 1
        OR NEW.hash <> sha256(last.hash || convert_to(NEW.entry, 'UTF8'))
    THEN
        RAISE EXCEPTION 'not the next link of this audit log' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION contactsync.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid;
CREATE FUNCTION contactsync.delete_offboarded(most integer) RETURNS TABLE(relation text, deleted bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
            ' AND ctid = ANY (ARRAY(SELECT ctid FROM contactsync.%1$I WHERE tenant_id = $1%2$s LIMIT $2))',
            found.relname,
            CASE found.relname WHEN 'contact' THEN ' AND contact_id > ''00000000-0000-0000-0000-000000000000''' END
        ) USING mine, room;
        GET DIAGNOSTICS deleted = ROW_COUNT;
        IF deleted > 0 THEN
            relation := found.relname;
            room := room - deleted;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$_$;

CREATE FUNCTION keys.refuse_resurrection() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    IF OLD.destroyed_at IS NOT NULL THEN
        RAISE EXCEPTION 'a destroyed key cannot be changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION keys.tell_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    IF TG_TABLE_NAME = 'data_key' AND to_jsonb(NEW) ->> 'purpose' = 'payload' THEN
        IF TG_OP = 'UPDATE' THEN
            PERFORM pg_notify('contactsync_keys', NEW.tenant_id::text || '/' || encode(NEW.kid, 'hex'));
        END IF;
    ELSE
        PERFORM pg_notify('contactsync_keys', NEW.tenant_id::text);
    END IF;
    RETURN NULL;
END
$$;

CREATE TABLE audit.chain (
    tenant_id uuid NOT NULL,
    entries bigint NOT NULL,
    checkpointed bigint DEFAULT 0 NOT NULL,
    checkpointed_at timestamp with time zone,
    flaw text,
    flawed_at timestamp with time zone,
    flaw_by_copies boolean DEFAULT false NOT NULL,
    CONSTRAINT chain_checkpointed_check CHECK ((checkpointed >= 0)),
    CONSTRAINT chain_entries_check CHECK ((entries > 0)),
    CONSTRAINT chain_flaw_check CHECK ((flaw ~ '^[a-z_]{1,40}$'::text))
)
WITH (fillfactor='50');

CREATE TABLE audit.checkpoint (
    tenant_id uuid NOT NULL,
    size bigint NOT NULL,
    note text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT checkpoint_size_check CHECK ((size > 0))
);

ALTER TABLE ONLY audit.checkpoint FORCE ROW LEVEL SECURITY;

CREATE TABLE audit.entry (
    tenant_id uuid NOT NULL,
    seq bigint NOT NULL,
    entry text NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT entry_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT entry_seq_check CHECK ((seq > 0))
);

ALTER TABLE ONLY audit.entry FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.backfill (
    tenant_id uuid NOT NULL,
    backfill_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    number integer NOT NULL,
    state text DEFAULT 'requested'::text NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    since timestamp with time zone,
    rows_per_second double precision,
    dry_run boolean NOT NULL,
    parallel integer NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    openings uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    cutoff bigint,
    generation bigint,
    total bigint,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    merged bigint DEFAULT 0 NOT NULL,
    live bigint,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT backfill_number_check CHECK ((number > 0)),
    CONSTRAINT backfill_parallel_check CHECK ((parallel > 0)),
    CONSTRAINT backfill_planned CHECK (((cutoff IS NULL) = (generation IS NULL))),
    CONSTRAINT backfill_rows_per_second_check CHECK ((rows_per_second > (0)::double precision))
);

ALTER TABLE ONLY contactsync.backfill FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.backfill_part (
    tenant_id uuid NOT NULL,
    backfill_id uuid NOT NULL,
    part integer NOT NULL,
    page integer DEFAULT 0 NOT NULL,
    cursor bytea,
    done boolean DEFAULT false NOT NULL,
    result jsonb,
    CONSTRAINT backfill_part_part_check CHECK ((part >= 0))
);

ALTER TABLE ONLY contactsync.backfill_part FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.budget (
    tenant_id uuid NOT NULL,
    account bytea NOT NULL,
    tokens double precision,
    backfill_tokens double precision,
    counted_at timestamp with time zone DEFAULT now() NOT NULL,
    day date,
    day_requests bigint DEFAULT 0 NOT NULL,
    windows jsonb DEFAULT '[]'::jsonb NOT NULL,
    blocked_until timestamp with time zone,
    refusals integer DEFAULT 0 NOT NULL
);

ALTER TABLE ONLY contactsync.budget FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.budget_lease (
    tenant_id uuid NOT NULL,
    lease text NOT NULL,
    connection_id uuid NOT NULL,
    account bytea NOT NULL,
    lane text NOT NULL,
    since timestamp with time zone NOT NULL,
    held_until timestamp with time zone,
    due_at timestamp with time zone,
    CONSTRAINT budget_lease_lane_check CHECK ((lane = ANY (ARRAY['live'::text, 'backfill'::text]))),
    CONSTRAINT budget_lease_runs_or_waits CHECK (((held_until IS NULL) <> (due_at IS NULL)))
);

ALTER TABLE ONLY contactsync.budget_lease FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.certificate (
    tenant_id uuid NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    note text NOT NULL
);

ALTER TABLE ONLY contactsync.certificate FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.connection (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    kind text NOT NULL,
    sealed_settings bytea NOT NULL,
    secret_ref text,
    interval_seconds integer NOT NULL,
    jitter_seconds integer NOT NULL,
    page_rows integer,
    paused text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    objective_seconds integer,
    CONSTRAINT connection_interval_seconds_check CHECK ((interval_seconds > 0)),
    CONSTRAINT connection_jitter_seconds_check CHECK ((jitter_seconds >= 0)),
    CONSTRAINT connection_objective_seconds_check CHECK ((objective_seconds > 0)),
    CONSTRAINT connection_page_rows_check CHECK ((page_rows > 0))
);

ALTER TABLE ONLY contactsync.connection FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact (
    tenant_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    source_index bytea NOT NULL,
    index_epoch integer NOT NULL,
    sealed bytea,
    content_mac bytea,
    etag_mac bytea,
    source_version bigint,
    observed bigint NOT NULL,
    generation bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    merged_into uuid,
    delete_held bigint,
    CONSTRAINT contact_held_is_live CHECK (((delete_held IS NULL) OR (deleted_at IS NULL))),
    CONSTRAINT contact_live_or_gone CHECK (
CASE
    WHEN (deleted_at IS NULL) THEN ((sealed IS NOT NULL) AND (content_mac IS NOT NULL))
    ELSE ((sealed IS NULL) AND (content_mac IS NULL) AND (etag_mac IS NULL))
END),
    CONSTRAINT contact_merged_is_gone CHECK (((merged_into IS NULL) OR (deleted_at IS NOT NULL)))
)
PARTITION BY HASH (tenant_id);

ALTER TABLE ONLY contactsync.contact FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_0 (
    tenant_id uuid CONSTRAINT contact_tenant_id_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_contact_id_not_null NOT NULL,
    connection_id uuid CONSTRAINT contact_connection_id_not_null NOT NULL,
    source_index bytea CONSTRAINT contact_source_index_not_null NOT NULL,
    index_epoch integer CONSTRAINT contact_index_epoch_not_null NOT NULL,
    sealed bytea,
    content_mac bytea,
    etag_mac bytea,
    source_version bigint,
    observed bigint CONSTRAINT contact_observed_not_null NOT NULL,
    generation bigint CONSTRAINT contact_generation_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT contact_created_at_not_null NOT NULL,
    changed_at timestamp with time zone DEFAULT now() CONSTRAINT contact_changed_at_not_null NOT NULL,
    deleted_at timestamp with time zone,
    merged_into uuid,
    delete_held bigint,
    CONSTRAINT contact_held_is_live CHECK (((delete_held IS NULL) OR (deleted_at IS NULL))),
    CONSTRAINT contact_live_or_gone CHECK (
CASE
    WHEN (deleted_at IS NULL) THEN ((sealed IS NOT NULL) AND (content_mac IS NOT NULL))
    ELSE ((sealed IS NULL) AND (content_mac IS NULL) AND (etag_mac IS NULL))
END),
    CONSTRAINT contact_merged_is_gone CHECK (((merged_into IS NULL) OR (deleted_at IS NOT NULL)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY contactsync.contact_0 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_1 (
    tenant_id uuid CONSTRAINT contact_tenant_id_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_contact_id_not_null NOT NULL,
    connection_id uuid CONSTRAINT contact_connection_id_not_null NOT NULL,
    source_index bytea CONSTRAINT contact_source_index_not_null NOT NULL,
    index_epoch integer CONSTRAINT contact_index_epoch_not_null NOT NULL,
    sealed bytea,
    content_mac bytea,
    etag_mac bytea,
    source_version bigint,
    observed bigint CONSTRAINT contact_observed_not_null NOT NULL,
    generation bigint CONSTRAINT contact_generation_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT contact_created_at_not_null NOT NULL,
    changed_at timestamp with time zone DEFAULT now() CONSTRAINT contact_changed_at_not_null NOT NULL,
    deleted_at timestamp with time zone,
    merged_into uuid,
    delete_held bigint,
    CONSTRAINT contact_held_is_live CHECK (((delete_held IS NULL) OR (deleted_at IS NULL))),
    CONSTRAINT contact_live_or_gone CHECK (
CASE
    WHEN (deleted_at IS NULL) THEN ((sealed IS NOT NULL) AND (content_mac IS NOT NULL))
    ELSE ((sealed IS NULL) AND (content_mac IS NULL) AND (etag_mac IS NULL))
END),
    CONSTRAINT contact_merged_is_gone CHECK (((merged_into IS NULL) OR (deleted_at IS NOT NULL)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY contactsync.contact_1 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_2 (
    tenant_id uuid CONSTRAINT contact_tenant_id_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_contact_id_not_null NOT NULL,
    connection_id uuid CONSTRAINT contact_connection_id_not_null NOT NULL,
    source_index bytea CONSTRAINT contact_source_index_not_null NOT NULL,
    index_epoch integer CONSTRAINT contact_index_epoch_not_null NOT NULL,
    sealed bytea,
    content_mac bytea,
    etag_mac bytea,
    source_version bigint,
    observed bigint CONSTRAINT contact_observed_not_null NOT NULL,
    generation bigint CONSTRAINT contact_generation_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT contact_created_at_not_null NOT NULL,
    changed_at timestamp with time zone DEFAULT now() CONSTRAINT contact_changed_at_not_null NOT NULL,
    deleted_at timestamp with time zone,
    merged_into uuid,
    delete_held bigint,
    CONSTRAINT contact_held_is_live CHECK (((delete_held IS NULL) OR (deleted_at IS NULL))),
    CONSTRAINT contact_live_or_gone CHECK (
CASE
    WHEN (deleted_at IS NULL) THEN ((sealed IS NOT NULL) AND (content_mac IS NOT NULL))
    ELSE ((sealed IS NULL) AND (content_mac IS NULL) AND (etag_mac IS NULL))
END),
    CONSTRAINT contact_merged_is_gone CHECK (((merged_into IS NULL) OR (deleted_at IS NOT NULL)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY contactsync.contact_2 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_3 (
    tenant_id uuid CONSTRAINT contact_tenant_id_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_contact_id_not_null NOT NULL,
    connection_id uuid CONSTRAINT contact_connection_id_not_null NOT NULL,
    source_index bytea CONSTRAINT contact_source_index_not_null NOT NULL,
    index_epoch integer CONSTRAINT contact_index_epoch_not_null NOT NULL,
    sealed bytea,
    content_mac bytea,
    etag_mac bytea,
    source_version bigint,
    observed bigint CONSTRAINT contact_observed_not_null NOT NULL,
    generation bigint CONSTRAINT contact_generation_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT contact_created_at_not_null NOT NULL,
    changed_at timestamp with time zone DEFAULT now() CONSTRAINT contact_changed_at_not_null NOT NULL,
    deleted_at timestamp with time zone,
    merged_into uuid,
    delete_held bigint,
    CONSTRAINT contact_held_is_live CHECK (((delete_held IS NULL) OR (deleted_at IS NULL))),
    CONSTRAINT contact_live_or_gone CHECK (
CASE
    WHEN (deleted_at IS NULL) THEN ((sealed IS NOT NULL) AND (content_mac IS NOT NULL))
    ELSE ((sealed IS NULL) AND (content_mac IS NULL) AND (etag_mac IS NULL))
END),
    CONSTRAINT contact_merged_is_gone CHECK (((merged_into IS NULL) OR (deleted_at IS NOT NULL)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY contactsync.contact_3 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_4 (
    tenant_id uuid CONSTRAINT contact_tenant_id_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_contact_id_not_null NOT NULL,
    connection_id uuid CONSTRAINT contact_connection_id_not_null NOT NULL,
    source_index bytea CONSTRAINT contact_source_index_not_null NOT NULL,
    index_epoch integer CONSTRAINT contact_index_epoch_not_null NOT NULL,
    sealed bytea,
    content_mac bytea,
    etag_mac bytea,
    source_version bigint,
    observed bigint CONSTRAINT contact_observed_not_null NOT NULL,
    generation bigint CONSTRAINT contact_generation_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT contact_created_at_not_null NOT NULL,
    changed_at timestamp with time zone DEFAULT now() CONSTRAINT contact_changed_at_not_null NOT NULL,
    deleted_at timestamp with time zone,
    merged_into uuid,
    delete_held bigint,
    CONSTRAINT contact_held_is_live CHECK (((delete_held IS NULL) OR (deleted_at IS NULL))),
    CONSTRAINT contact_live_or_gone CHECK (
CASE
    WHEN (deleted_at IS NULL) THEN ((sealed IS NOT NULL) AND (content_mac IS NOT NULL))
    ELSE ((sealed IS NULL) AND (content_mac IS NULL) AND (etag_mac IS NULL))
END),
    CONSTRAINT contact_merged_is_gone CHECK (((merged_into IS NULL) OR (deleted_at IS NOT NULL)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY contactsync.contact_4 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_5 (
    tenant_id uuid CONSTRAINT contact_tenant_id_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_contact_id_not_null NOT NULL,
    connection_id uuid CONSTRAINT contact_connection_id_not_null NOT NULL,
    source_index bytea CONSTRAINT contact_source_index_not_null NOT NULL,
    index_epoch integer CONSTRAINT contact_index_epoch_not_null NOT NULL,
    sealed bytea,
    content_mac bytea,
    etag_mac bytea,
    source_version bigint,
    observed bigint CONSTRAINT contact_observed_not_null NOT NULL,
    generation bigint CONSTRAINT contact_generation_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT contact_created_at_not_null NOT NULL,
    changed_at timestamp with time zone DEFAULT now() CONSTRAINT contact_changed_at_not_null NOT NULL,
    deleted_at timestamp with time zone,
    merged_into uuid,
    delete_held bigint,
    CONSTRAINT contact_held_is_live CHECK (((delete_held IS NULL) OR (deleted_at IS NULL))),
    CONSTRAINT contact_live_or_gone CHECK (
CASE
    WHEN (deleted_at IS NULL) THEN ((sealed IS NOT NULL) AND (content_mac IS NOT NULL))
    ELSE ((sealed IS NULL) AND (content_mac IS NULL) AND (etag_mac IS NULL))
END),
    CONSTRAINT contact_merged_is_gone CHECK (((merged_into IS NULL) OR (deleted_at IS NOT NULL)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY contactsync.contact_5 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_6 (
    tenant_id uuid CONSTRAINT contact_tenant_id_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_contact_id_not_null NOT NULL,
    connection_id uuid CONSTRAINT contact_connection_id_not_null NOT NULL,
    source_index bytea CONSTRAINT contact_source_index_not_null NOT NULL,
    index_epoch integer CONSTRAINT contact_index_epoch_not_null NOT NULL,
    sealed bytea,
    content_mac bytea,
    etag_mac bytea,
    source_version bigint,
    observed bigint CONSTRAINT contact_observed_not_null NOT NULL,
    generation bigint CONSTRAINT contact_generation_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT contact_created_at_not_null NOT NULL,
    changed_at timestamp with time zone DEFAULT now() CONSTRAINT contact_changed_at_not_null NOT NULL,
    deleted_at timestamp with time zone,
    merged_into uuid,
    delete_held bigint,
    CONSTRAINT contact_held_is_live CHECK (((delete_held IS NULL) OR (deleted_at IS NULL))),
    CONSTRAINT contact_live_or_gone CHECK (
CASE
    WHEN (deleted_at IS NULL) THEN ((sealed IS NOT NULL) AND (content_mac IS NOT NULL))
    ELSE ((sealed IS NULL) AND (content_mac IS NULL) AND (etag_mac IS NULL))
END),
    CONSTRAINT contact_merged_is_gone CHECK (((merged_into IS NULL) OR (deleted_at IS NOT NULL)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY contactsync.contact_6 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_7 (
    tenant_id uuid CONSTRAINT contact_tenant_id_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_contact_id_not_null NOT NULL,
    connection_id uuid CONSTRAINT contact_connection_id_not_null NOT NULL,
    source_index bytea CONSTRAINT contact_source_index_not_null NOT NULL,
    index_epoch integer CONSTRAINT contact_index_epoch_not_null NOT NULL,
    sealed bytea,
    content_mac bytea,
    etag_mac bytea,
    source_version bigint,
    observed bigint CONSTRAINT contact_observed_not_null NOT NULL,
    generation bigint CONSTRAINT contact_generation_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT contact_created_at_not_null NOT NULL,
    changed_at timestamp with time zone DEFAULT now() CONSTRAINT contact_changed_at_not_null NOT NULL,
    deleted_at timestamp with time zone,
    merged_into uuid,
    delete_held bigint,
    CONSTRAINT contact_held_is_live CHECK (((delete_held IS NULL) OR (deleted_at IS NULL))),
    CONSTRAINT contact_live_or_gone CHECK (
CASE
    WHEN (deleted_at IS NULL) THEN ((sealed IS NOT NULL) AND (content_mac IS NOT NULL))
    ELSE ((sealed IS NULL) AND (content_mac IS NULL) AND (etag_mac IS NULL))
END),
    CONSTRAINT contact_merged_is_gone CHECK (((merged_into IS NULL) OR (deleted_at IS NOT NULL)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY contactsync.contact_7 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_lookup (
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    epoch integer NOT NULL,
    blind_index bytea NOT NULL,
    contact_id uuid NOT NULL,
    CONSTRAINT contact_lookup_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'phone'::text])))
)
PARTITION BY HASH (tenant_id);

ALTER TABLE ONLY contactsync.contact_lookup REPLICA IDENTITY FULL;

ALTER TABLE ONLY contactsync.contact_lookup FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_lookup_0 (
    tenant_id uuid CONSTRAINT contact_lookup_tenant_id_not_null NOT NULL,
    kind text CONSTRAINT contact_lookup_kind_not_null NOT NULL,
    epoch integer CONSTRAINT contact_lookup_epoch_not_null NOT NULL,
    blind_index bytea CONSTRAINT contact_lookup_blind_index_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_lookup_contact_id_not_null NOT NULL,
    CONSTRAINT contact_lookup_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'phone'::text])))
);

ALTER TABLE ONLY contactsync.contact_lookup_0 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_lookup_1 (
    tenant_id uuid CONSTRAINT contact_lookup_tenant_id_not_null NOT NULL,
    kind text CONSTRAINT contact_lookup_kind_not_null NOT NULL,
    epoch integer CONSTRAINT contact_lookup_epoch_not_null NOT NULL,
    blind_index bytea CONSTRAINT contact_lookup_blind_index_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_lookup_contact_id_not_null NOT NULL,
    CONSTRAINT contact_lookup_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'phone'::text])))
);

ALTER TABLE ONLY contactsync.contact_lookup_1 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_lookup_2 (
    tenant_id uuid CONSTRAINT contact_lookup_tenant_id_not_null NOT NULL,
    kind text CONSTRAINT contact_lookup_kind_not_null NOT NULL,
    epoch integer CONSTRAINT contact_lookup_epoch_not_null NOT NULL,
    blind_index bytea CONSTRAINT contact_lookup_blind_index_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_lookup_contact_id_not_null NOT NULL,
    CONSTRAINT contact_lookup_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'phone'::text])))
);

ALTER TABLE ONLY contactsync.contact_lookup_2 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_lookup_3 (
    tenant_id uuid CONSTRAINT contact_lookup_tenant_id_not_null NOT NULL,
    kind text CONSTRAINT contact_lookup_kind_not_null NOT NULL,
    epoch integer CONSTRAINT contact_lookup_epoch_not_null NOT NULL,
    blind_index bytea CONSTRAINT contact_lookup_blind_index_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_lookup_contact_id_not_null NOT NULL,
    CONSTRAINT contact_lookup_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'phone'::text])))
);

ALTER TABLE ONLY contactsync.contact_lookup_3 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_lookup_4 (
    tenant_id uuid CONSTRAINT contact_lookup_tenant_id_not_null NOT NULL,
    kind text CONSTRAINT contact_lookup_kind_not_null NOT NULL,
    epoch integer CONSTRAINT contact_lookup_epoch_not_null NOT NULL,
    blind_index bytea CONSTRAINT contact_lookup_blind_index_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_lookup_contact_id_not_null NOT NULL,
    CONSTRAINT contact_lookup_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'phone'::text])))
);

ALTER TABLE ONLY contactsync.contact_lookup_4 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_lookup_5 (
    tenant_id uuid CONSTRAINT contact_lookup_tenant_id_not_null NOT NULL,
    kind text CONSTRAINT contact_lookup_kind_not_null NOT NULL,
    epoch integer CONSTRAINT contact_lookup_epoch_not_null NOT NULL,
    blind_index bytea CONSTRAINT contact_lookup_blind_index_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_lookup_contact_id_not_null NOT NULL,
    CONSTRAINT contact_lookup_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'phone'::text])))
);

ALTER TABLE ONLY contactsync.contact_lookup_5 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_lookup_6 (
    tenant_id uuid CONSTRAINT contact_lookup_tenant_id_not_null NOT NULL,
    kind text CONSTRAINT contact_lookup_kind_not_null NOT NULL,
    epoch integer CONSTRAINT contact_lookup_epoch_not_null NOT NULL,
    blind_index bytea CONSTRAINT contact_lookup_blind_index_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_lookup_contact_id_not_null NOT NULL,
    CONSTRAINT contact_lookup_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'phone'::text])))
);

ALTER TABLE ONLY contactsync.contact_lookup_6 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.contact_lookup_7 (
    tenant_id uuid CONSTRAINT contact_lookup_tenant_id_not_null NOT NULL,
    kind text CONSTRAINT contact_lookup_kind_not_null NOT NULL,
    epoch integer CONSTRAINT contact_lookup_epoch_not_null NOT NULL,
    blind_index bytea CONSTRAINT contact_lookup_blind_index_not_null NOT NULL,
    contact_id uuid CONSTRAINT contact_lookup_contact_id_not_null NOT NULL,
    CONSTRAINT contact_lookup_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'phone'::text])))
);

ALTER TABLE ONLY contactsync.contact_lookup_7 FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.delete_hold (
    tenant_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    cause text NOT NULL,
    contacts bigint NOT NULL,
    live bigint NOT NULL,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    decided_at timestamp with time zone,
    decision text,
    CONSTRAINT delete_hold_cause_check CHECK ((cause = ANY (ARRAY['listing'::text, 'tombstones'::text, 'empty'::text]))),
    CONSTRAINT delete_hold_decided CHECK (((decided_at IS NULL) = (decision IS NULL))),
    CONSTRAINT delete_hold_decision_check CHECK ((decision = ANY (ARRAY['approved'::text, 'rejected'::text, 'resolved'::text])))
);

ALTER TABLE ONLY contactsync.delete_hold FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.migration (
    name text NOT NULL,
    sha256 bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE contactsync.oauth_token (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    sealed bytea,
    version bigint DEFAULT 0 NOT NULL,
    renewing_by uuid,
    renewing_until timestamp with time zone,
    CONSTRAINT oauth_token_renewed_by_one CHECK (((renewing_by IS NULL) = (renewing_until IS NULL)))
);

ALTER TABLE ONLY contactsync.oauth_token FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.offboarding (
    tenant_id uuid NOT NULL,
    openings uuid[] NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    quarantine_until timestamp with time zone NOT NULL,
    cancelled_at timestamp with time zone,
    decided_at timestamp with time zone,
    effective_at timestamp with time zone,
    deleted jsonb DEFAULT '{}'::jsonb NOT NULL,
    executions bigint,
    CONSTRAINT offboarding_in_order CHECK (((effective_at IS NULL) OR (decided_at IS NOT NULL))),
    CONSTRAINT offboarding_not_undone CHECK (((cancelled_at IS NULL) OR (decided_at IS NULL)))
);

ALTER TABLE ONLY contactsync.offboarding FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.pass (
    tenant_id uuid NOT NULL,
    pass_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    epoch bigint NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    outcome text,
    pages bigint DEFAULT 0 NOT NULL,
    downloaded bigint DEFAULT 0 NOT NULL,
    added bigint DEFAULT 0 NOT NULL,
    updated bigint DEFAULT 0 NOT NULL,
    unchanged bigint DEFAULT 0 NOT NULL,
    deleted bigint DEFAULT 0 NOT NULL,
    quarantined bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    merged bigint DEFAULT 0 NOT NULL,
    live bigint,
    CONSTRAINT pass_ended_with_outcome CHECK (((ended_at IS NULL) = (outcome IS NULL)))
);

ALTER TABLE ONLY contactsync.pass FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.progress (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    pass_id uuid,
    page integer DEFAULT 0 NOT NULL,
    open boolean DEFAULT false NOT NULL,
    cursor bytea,
    cursor_full boolean DEFAULT false NOT NULL,
    generation bigint DEFAULT 0 NOT NULL,
    result jsonb,
    started_at timestamp with time zone,
    swept_generation bigint DEFAULT 0 NOT NULL,
    hold_id uuid
);

ALTER TABLE ONLY contactsync.progress FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.quarantine (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    source_index bytea NOT NULL,
    reason text NOT NULL,
    pass_id uuid NOT NULL,
    generation bigint NOT NULL,
    sealed_source_id bytea NOT NULL,
    first_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    observed bigint DEFAULT 0 NOT NULL,
    index_epoch integer DEFAULT 1 NOT NULL
);

ALTER TABLE ONLY contactsync.quarantine FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.staged_payload (
    tenant_id uuid NOT NULL,
    object_id uuid NOT NULL,
    workflow_id text NOT NULL,
    run_id uuid NOT NULL,
    payload bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY contactsync.staged_payload ALTER COLUMN payload SET STORAGE EXTERNAL;

ALTER TABLE ONLY contactsync.staged_payload FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.stash (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    handle uuid NOT NULL,
    part integer NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    owner uuid,
    owner_part integer
);

ALTER TABLE ONLY contactsync.stash FORCE ROW LEVEL SECURITY;

CREATE TABLE contactsync.tenant (
    tenant_id uuid NOT NULL,
    label text NOT NULL,
    policy jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    disabled_at timestamp with time zone,
    row_epoch integer DEFAULT 1 NOT NULL,
    index_epoch integer DEFAULT 1 NOT NULL
);

ALTER TABLE ONLY contactsync.tenant FORCE ROW LEVEL SECURITY;

CREATE TABLE keys.data_key (
    kid bytea NOT NULL,
    tenant_id uuid NOT NULL,
    purpose text NOT NULL,
    epoch integer NOT NULL,
    tenant_version integer NOT NULL,
    wrapped bytea,
    encrypt_until timestamp with time zone,
    destroy_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    destroyed_at timestamp with time zone,
    held_at timestamp with time zone,
    CONSTRAINT data_key_destroyed CHECK (((wrapped IS NULL) = (destroyed_at IS NOT NULL))),
    CONSTRAINT data_key_epoch_check CHECK ((epoch >= 0)),
    CONSTRAINT data_key_held CHECK (((held_at IS NULL) OR (purpose = 'payload'::text))),
    CONSTRAINT data_key_kid_check CHECK ((octet_length(kid) = 16)),
    CONSTRAINT data_key_purpose_check CHECK ((purpose = ANY (ARRAY['payload'::text, 'row'::text, 'index'::text, 'suppression'::text, 'audit'::text]))),
    CONSTRAINT data_key_window CHECK (
CASE
    WHEN (purpose = 'payload'::text) THEN ((encrypt_until IS NOT NULL) AND (destroy_at IS NOT NULL) AND (destroy_at > encrypt_until) AND (destroy_at <= (encrypt_until + '720:00:00'::interval)))
    ELSE ((encrypt_until IS NULL) AND (destroy_at IS NULL))
END)
);

ALTER TABLE ONLY keys.data_key FORCE ROW LEVEL SECURITY;

CREATE TABLE keys.tenant_key (
    tenant_id uuid NOT NULL,
    version integer NOT NULL,
    kid bytea NOT NULL,
    wrapped bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    destroyed_at timestamp with time zone,
    CONSTRAINT tenant_key_destroyed CHECK (((wrapped IS NULL) = (destroyed_at IS NOT NULL))),
    CONSTRAINT tenant_key_kid_check CHECK ((octet_length(kid) = 16)),
    CONSTRAINT tenant_key_version_check CHECK ((version > 0))
);

ALTER TABLE ONLY contactsync.contact ATTACH PARTITION contactsync.contact_0 FOR VALUES WITH (modulus 8, remainder 0);

ALTER TABLE ONLY contactsync.contact ATTACH PARTITION contactsync.contact_1 FOR VALUES WITH (modulus 8, remainder 1);

ALTER TABLE ONLY contactsync.contact ATTACH PARTITION contactsync.contact_2 FOR VALUES WITH (modulus 8, remainder 2);

ALTER TABLE ONLY contactsync.contact ATTACH PARTITION contactsync.contact_3 FOR VALUES WITH (modulus 8, remainder 3);

ALTER TABLE ONLY contactsync.contact ATTACH PARTITION contactsync.contact_4 FOR VALUES WITH (modulus 8, remainder 4);

ALTER TABLE ONLY contactsync.contact ATTACH PARTITION contactsync.contact_5 FOR VALUES WITH (modulus 8, remainder 5);

ALTER TABLE ONLY contactsync.contact ATTACH PARTITION contactsync.contact_6 FOR VALUES WITH (modulus 8, remainder 6);

ALTER TABLE ONLY contactsync.contact ATTACH PARTITION contactsync.contact_7 FOR VALUES WITH (modulus 8, remainder 7);

ALTER TABLE ONLY contactsync.contact_lookup ATTACH PARTITION contactsync.contact_lookup_0 FOR VALUES WITH (modulus 8, remainder 0);

ALTER TABLE ONLY contactsync.contact_lookup ATTACH PARTITION contactsync.contact_lookup_1 FOR VALUES WITH (modulus 8, remainder 1);

ALTER TABLE ONLY contactsync.contact_lookup ATTACH PARTITION contactsync.contact_lookup_2 FOR VALUES WITH (modulus 8, remainder 2);

ALTER TABLE ONLY contactsync.contact_lookup ATTACH PARTITION contactsync.contact_lookup_3 FOR VALUES WITH (modulus 8, remainder 3);

ALTER TABLE ONLY contactsync.contact_lookup ATTACH PARTITION contactsync.contact_lookup_4 FOR VALUES WITH (modulus 8, remainder 4);

ALTER TABLE ONLY contactsync.contact_lookup ATTACH PARTITION contactsync.contact_lookup_5 FOR VALUES WITH (modulus 8, remainder 5);

ALTER TABLE ONLY contactsync.contact_lookup ATTACH PARTITION contactsync.contact_lookup_6 FOR VALUES WITH (modulus 8, remainder 6);

ALTER TABLE ONLY contactsync.contact_lookup ATTACH PARTITION contactsync.contact_lookup_7 FOR VALUES WITH (modulus 8, remainder 7);

ALTER TABLE ONLY audit.chain
    ADD CONSTRAINT chain_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY audit.checkpoint
    ADD CONSTRAINT checkpoint_pkey PRIMARY KEY (tenant_id, size);
ALTER TABLE ONLY audit.entry
    ADD CONSTRAINT entry_pkey PRIMARY KEY (tenant_id, seq);
ALTER TABLE ONLY contactsync.backfill_part
    ADD CONSTRAINT backfill_part_pkey PRIMARY KEY (tenant_id, backfill_id, part);
ALTER TABLE ONLY contactsync.backfill
    ADD CONSTRAINT backfill_pkey PRIMARY KEY (tenant_id, backfill_id);
ALTER TABLE ONLY contactsync.backfill
    ADD CONSTRAINT backfill_tenant_id_connection_id_number_key UNIQUE (tenant_id, connection_id, number);
ALTER TABLE ONLY contactsync.budget_lease
    ADD CONSTRAINT budget_lease_pkey PRIMARY KEY (tenant_id, lease);
ALTER TABLE ONLY contactsync.budget
    ADD CONSTRAINT budget_pkey PRIMARY KEY (tenant_id, account);
ALTER TABLE ONLY contactsync.certificate
    ADD CONSTRAINT certificate_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY contactsync.connection
    ADD CONSTRAINT connection_connection_id_key UNIQUE (connection_id);
ALTER TABLE ONLY contactsync.connection
    ADD CONSTRAINT connection_pkey PRIMARY KEY (tenant_id, connection_id);
ALTER TABLE ONLY contactsync.contact
    ADD CONSTRAINT contact_pkey PRIMARY KEY (connection_id, source_index, tenant_id);
ALTER TABLE ONLY contactsync.contact_0
    ADD CONSTRAINT contact_0_pkey PRIMARY KEY (connection_id, source_index, tenant_id);
ALTER TABLE ONLY contactsync.contact_1
    ADD CONSTRAINT contact_1_pkey PRIMARY KEY (connection_id, source_index, tenant_id);
ALTER TABLE ONLY contactsync.contact_2
    ADD CONSTRAINT contact_2_pkey PRIMARY KEY (connection_id, source_index, tenant_id);
ALTER TABLE ONLY contactsync.contact_3
    ADD CONSTRAINT contact_3_pkey PRIMARY KEY (connection_id, source_index, tenant_id);
ALTER TABLE ONLY contactsync.contact_4
    ADD CONSTRAINT contact_4_pkey PRIMARY KEY (connection_id, source_index, tenant_id);
ALTER TABLE ONLY contactsync.contact_5
    ADD CONSTRAINT contact_5_pkey PRIMARY KEY (connection_id, source_index, tenant_id);
ALTER TABLE ONLY contactsync.contact_6
    ADD CONSTRAINT contact_6_pkey PRIMARY KEY (connection_id, source_index, tenant_id);
ALTER TABLE ONLY contactsync.contact_7
    ADD CONSTRAINT contact_7_pkey PRIMARY KEY (connection_id, source_index, tenant_id);
ALTER TABLE ONLY contactsync.delete_hold
    ADD CONSTRAINT delete_hold_pkey PRIMARY KEY (tenant_id, hold_id);
ALTER TABLE ONLY contactsync.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);
ALTER TABLE ONLY contactsync.oauth_token
    ADD CONSTRAINT oauth_token_pkey PRIMARY KEY (tenant_id, connection_id);
ALTER TABLE ONLY contactsync.offboarding
    ADD CONSTRAINT offboarding_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY contactsync.pass
    ADD CONSTRAINT pass_pkey PRIMARY KEY (tenant_id, pass_id);
ALTER TABLE ONLY contactsync.pass
    ADD CONSTRAINT pass_tenant_id_connection_id_epoch_key UNIQUE (tenant_id, connection_id, epoch);
ALTER TABLE ONLY contactsync.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (tenant_id, connection_id);
ALTER TABLE ONLY contactsync.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (tenant_id, connection_id, source_index);
ALTER TABLE ONLY contactsync.staged_payload
    ADD CONSTRAINT staged_payload_pkey PRIMARY KEY (tenant_id, object_id);
ALTER TABLE ONLY contactsync.stash
    ADD CONSTRAINT stash_pkey PRIMARY KEY (tenant_id, connection_id, handle, part);
ALTER TABLE ONLY contactsync.tenant
    ADD CONSTRAINT tenant_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY keys.data_key
    ADD CONSTRAINT data_key_pkey PRIMARY KEY (kid);
ALTER TABLE ONLY keys.data_key
    ADD CONSTRAINT data_key_tenant_id_purpose_epoch_key UNIQUE (tenant_id, purpose, epoch);
ALTER TABLE ONLY keys.tenant_key
    ADD CONSTRAINT tenant_key_kid_key UNIQUE (kid);
ALTER TABLE ONLY keys.tenant_key
    ADD CONSTRAINT tenant_key_pkey PRIMARY KEY (tenant_id, version);
CREATE UNIQUE INDEX backfill_under_way ON contactsync.backfill USING btree (tenant_id, connection_id) WHERE (ended_at IS NULL);

CREATE INDEX contact_held ON ONLY contactsync.contact USING btree (tenant_id, connection_id) WHERE (delete_held IS NOT NULL);

CREATE INDEX contact_0_tenant_id_connection_id_idx ON contactsync.contact_0 USING btree (tenant_id, connection_id) WHERE (delete_held IS NOT NULL);

CREATE UNIQUE INDEX contact_of_tenant ON ONLY contactsync.contact USING btree (tenant_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE UNIQUE INDEX contact_0_tenant_id_contact_id_idx ON contactsync.contact_0 USING btree (tenant_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX contact_1_tenant_id_connection_id_idx ON contactsync.contact_1 USING btree (tenant_id, connection_id) WHERE (delete_held IS NOT NULL);

CREATE UNIQUE INDEX contact_1_tenant_id_contact_id_idx ON contactsync.contact_1 USING btree (tenant_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX contact_2_tenant_id_connection_id_idx ON contactsync.contact_2 USING btree (tenant_id, connection_id) WHERE (delete_held IS NOT NULL);

CREATE UNIQUE INDEX contact_2_tenant_id_contact_id_idx ON contactsync.contact_2 USING btree (tenant_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX contact_3_tenant_id_connection_id_idx ON contactsync.contact_3 USING btree (tenant_id, connection_id) WHERE (delete_held IS NOT NULL);

CREATE UNIQUE INDEX contact_3_tenant_id_contact_id_idx ON contactsync.contact_3 USING btree (tenant_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX contact_4_tenant_id_connection_id_idx ON contactsync.contact_4 USING btree (tenant_id, connection_id) WHERE (delete_held IS NOT NULL);

CREATE UNIQUE INDEX contact_4_tenant_id_contact_id_idx ON contactsync.contact_4 USING btree (tenant_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX contact_5_tenant_id_connection_id_idx ON contactsync.contact_5 USING btree (tenant_id, connection_id) WHERE (delete_held IS NOT NULL);

CREATE UNIQUE INDEX contact_5_tenant_id_contact_id_idx ON contactsync.contact_5 USING btree (tenant_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX contact_6_tenant_id_connection_id_idx ON contactsync.contact_6 USING btree (tenant_id, connection_id) WHERE (delete_held IS NOT NULL);

CREATE UNIQUE INDEX contact_6_tenant_id_contact_id_idx ON contactsync.contact_6 USING btree (tenant_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX contact_7_tenant_id_connection_id_idx ON contactsync.contact_7 USING btree (tenant_id, connection_id) WHERE (delete_held IS NOT NULL);

CREATE UNIQUE INDEX contact_7_tenant_id_contact_id_idx ON contactsync.contact_7 USING btree (tenant_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX contact_lookup_found ON ONLY contactsync.contact_lookup USING btree (blind_index);

CREATE INDEX contact_lookup_0_blind_index_idx ON contactsync.contact_lookup_0 USING btree (blind_index);

CREATE INDEX contact_lookup_contact ON ONLY contactsync.contact_lookup USING btree (tenant_id, contact_id);

CREATE INDEX contact_lookup_0_tenant_id_contact_id_idx ON contactsync.contact_lookup_0 USING btree (tenant_id, contact_id);

CREATE INDEX contact_lookup_1_blind_index_idx ON contactsync.contact_lookup_1 USING btree (blind_index);

CREATE INDEX contact_lookup_1_tenant_id_contact_id_idx ON contactsync.contact_lookup_1 USING btree (tenant_id, contact_id);

CREATE INDEX contact_lookup_2_blind_index_idx ON contactsync.contact_lookup_2 USING btree (blind_index);

CREATE INDEX contact_lookup_2_tenant_id_contact_id_idx ON contactsync.contact_lookup_2 USING btree (tenant_id, contact_id);

CREATE INDEX contact_lookup_3_blind_index_idx ON contactsync.contact_lookup_3 USING btree (blind_index);

CREATE INDEX contact_lookup_3_tenant_id_contact_id_idx ON contactsync.contact_lookup_3 USING btree (tenant_id, contact_id);

CREATE INDEX contact_lookup_4_blind_index_idx ON contactsync.contact_lookup_4 USING btree (blind_index);

CREATE INDEX contact_lookup_4_tenant_id_contact_id_idx ON contactsync.contact_lookup_4 USING btree (tenant_id, contact_id);

CREATE INDEX contact_lookup_5_blind_index_idx ON contactsync.contact_lookup_5 USING btree (blind_index);

CREATE INDEX contact_lookup_5_tenant_id_contact_id_idx ON contactsync.contact_lookup_5 USING btree (tenant_id, contact_id);

CREATE INDEX contact_lookup_6_blind_index_idx ON contactsync.contact_lookup_6 USING btree (blind_index);

CREATE INDEX contact_lookup_6_tenant_id_contact_id_idx ON contactsync.contact_lookup_6 USING btree (tenant_id, contact_id);

CREATE INDEX contact_lookup_7_blind_index_idx ON contactsync.contact_lookup_7 USING btree (blind_index);

CREATE INDEX contact_lookup_7_tenant_id_contact_id_idx ON contactsync.contact_lookup_7 USING btree (tenant_id, contact_id);

CREATE UNIQUE INDEX delete_hold_open ON contactsync.delete_hold USING btree (tenant_id, connection_id) WHERE (decided_at IS NULL);

CREATE INDEX pass_completed ON contactsync.pass USING btree (tenant_id, connection_id, ended_at) WHERE (outcome = 'completed'::text);

CREATE INDEX staged_payload_of_run ON contactsync.staged_payload USING btree (tenant_id, run_id);

CREATE INDEX data_key_due ON keys.data_key USING btree (destroy_at) WHERE ((wrapped IS NOT NULL) AND (destroy_at IS NOT NULL));

CREATE INDEX data_key_held ON keys.data_key USING btree (held_at) WHERE ((wrapped IS NOT NULL) AND (held_at IS NOT NULL));

ALTER INDEX contactsync.contact_pkey ATTACH PARTITION contactsync.contact_0_pkey;

ALTER INDEX contactsync.contact_held ATTACH PARTITION contactsync.contact_0_tenant_id_connection_id_idx;

ALTER INDEX contactsync.contact_of_tenant ATTACH PARTITION contactsync.contact_0_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_pkey ATTACH PARTITION contactsync.contact_1_pkey;

ALTER INDEX contactsync.contact_held ATTACH PARTITION contactsync.contact_1_tenant_id_connection_id_idx;

ALTER INDEX contactsync.contact_of_tenant ATTACH PARTITION contactsync.contact_1_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_pkey ATTACH PARTITION contactsync.contact_2_pkey;

ALTER INDEX contactsync.contact_held ATTACH PARTITION contactsync.contact_2_tenant_id_connection_id_idx;

ALTER INDEX contactsync.contact_of_tenant ATTACH PARTITION contactsync.contact_2_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_pkey ATTACH PARTITION contactsync.contact_3_pkey;

ALTER INDEX contactsync.contact_held ATTACH PARTITION contactsync.contact_3_tenant_id_connection_id_idx;

ALTER INDEX contactsync.contact_of_tenant ATTACH PARTITION contactsync.contact_3_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_pkey ATTACH PARTITION contactsync.contact_4_pkey;

ALTER INDEX contactsync.contact_held ATTACH PARTITION contactsync.contact_4_tenant_id_connection_id_idx;

ALTER INDEX contactsync.contact_of_tenant ATTACH PARTITION contactsync.contact_4_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_pkey ATTACH PARTITION contactsync.contact_5_pkey;

ALTER INDEX contactsync.contact_held ATTACH PARTITION contactsync.contact_5_tenant_id_connection_id_idx;

ALTER INDEX contactsync.contact_of_tenant ATTACH PARTITION contactsync.contact_5_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_pkey ATTACH PARTITION contactsync.contact_6_pkey;

ALTER INDEX contactsync.contact_held ATTACH PARTITION contactsync.contact_6_tenant_id_connection_id_idx;

ALTER INDEX contactsync.contact_of_tenant ATTACH PARTITION contactsync.contact_6_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_pkey ATTACH PARTITION contactsync.contact_7_pkey;

ALTER INDEX contactsync.contact_held ATTACH PARTITION contactsync.contact_7_tenant_id_connection_id_idx;

ALTER INDEX contactsync.contact_of_tenant ATTACH PARTITION contactsync.contact_7_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_lookup_found ATTACH PARTITION contactsync.contact_lookup_0_blind_index_idx;

ALTER INDEX contactsync.contact_lookup_contact ATTACH PARTITION contactsync.contact_lookup_0_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_lookup_found ATTACH PARTITION contactsync.contact_lookup_1_blind_index_idx;

ALTER INDEX contactsync.contact_lookup_contact ATTACH PARTITION contactsync.contact_lookup_1_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_lookup_found ATTACH PARTITION contactsync.contact_lookup_2_blind_index_idx;

ALTER INDEX contactsync.contact_lookup_contact ATTACH PARTITION contactsync.contact_lookup_2_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_lookup_found ATTACH PARTITION contactsync.contact_lookup_3_blind_index_idx;

ALTER INDEX contactsync.contact_lookup_contact ATTACH PARTITION contactsync.contact_lookup_3_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_lookup_found ATTACH PARTITION contactsync.contact_lookup_4_blind_index_idx;

ALTER INDEX contactsync.contact_lookup_contact ATTACH PARTITION contactsync.contact_lookup_4_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_lookup_found ATTACH PARTITION contactsync.contact_lookup_5_blind_index_idx;

ALTER INDEX contactsync.contact_lookup_contact ATTACH PARTITION contactsync.contact_lookup_5_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_lookup_found ATTACH PARTITION contactsync.contact_lookup_6_blind_index_idx;

ALTER INDEX contactsync.contact_lookup_contact ATTACH PARTITION contactsync.contact_lookup_6_tenant_id_contact_id_idx;

ALTER INDEX contactsync.contact_lookup_found ATTACH PARTITION contactsync.contact_lookup_7_blind_index_idx;

ALTER INDEX contactsync.contact_lookup_contact ATTACH PARTITION contactsync.contact_lookup_7_tenant_id_contact_id_idx;

CREATE TRIGGER checkpoint_is_next BEFORE INSERT ON audit.checkpoint FOR EACH ROW EXECUTE FUNCTION audit.refuse_wrong_checkpoint();

CREATE TRIGGER checkpoint_stays BEFORE DELETE OR UPDATE OR TRUNCATE ON audit.checkpoint FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

CREATE TRIGGER entry_is_counted AFTER INSERT ON audit.entry FOR EACH ROW EXECUTE FUNCTION audit.count_entry();

CREATE TRIGGER entry_is_next_link BEFORE INSERT ON audit.entry FOR EACH ROW EXECUTE FUNCTION audit.refuse_wrong_link();

CREATE TRIGGER entry_stays BEFORE DELETE OR UPDATE OR TRUNCATE ON audit.entry FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

CREATE TRIGGER data_key_change_is_told AFTER INSERT OR UPDATE ON keys.data_key FOR EACH ROW EXECUTE FUNCTION keys.tell_change();

CREATE TRIGGER data_key_destroyed_for_ever BEFORE UPDATE ON keys.data_key FOR EACH ROW EXECUTE FUNCTION keys.refuse_resurrection();

CREATE TRIGGER tenant_key_change_is_told AFTER INSERT OR UPDATE ON keys.tenant_key FOR EACH ROW EXECUTE FUNCTION keys.tell_change();

CREATE TRIGGER tenant_key_destroyed_for_ever BEFORE UPDATE ON keys.tenant_key FOR EACH ROW EXECUTE FUNCTION keys.refuse_resurrection();

ALTER TABLE ONLY contactsync.backfill_part
    ADD CONSTRAINT backfill_part_tenant_id_backfill_id_fkey FOREIGN KEY (tenant_id, backfill_id) REFERENCES contactsync.backfill(tenant_id, backfill_id);
ALTER TABLE ONLY contactsync.backfill
    ADD CONSTRAINT backfill_tenant_id_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection(tenant_id, connection_id);
ALTER TABLE ONLY contactsync.budget_lease
    ADD CONSTRAINT budget_lease_tenant_id_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection(tenant_id, connection_id);
ALTER TABLE ONLY contactsync.budget
    ADD CONSTRAINT budget_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES contactsync.tenant(tenant_id);
ALTER TABLE ONLY contactsync.certificate
    ADD CONSTRAINT certificate_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES contactsync.tenant(tenant_id);
ALTER TABLE ONLY contactsync.connection
    ADD CONSTRAINT connection_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES contactsync.tenant(tenant_id);
ALTER TABLE ONLY contactsync.delete_hold
    ADD CONSTRAINT delete_hold_tenant_id_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection(tenant_id, connection_id);
ALTER TABLE ONLY contactsync.oauth_token
    ADD CONSTRAINT oauth_token_tenant_id_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection(tenant_id, connection_id);
ALTER TABLE ONLY contactsync.offboarding
    ADD CONSTRAINT offboarding_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES contactsync.tenant(tenant_id);
ALTER TABLE ONLY contactsync.pass
    ADD CONSTRAINT pass_tenant_id_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection(tenant_id, connection_id);
ALTER TABLE ONLY contactsync.progress
    ADD CONSTRAINT progress_tenant_id_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection(tenant_id, connection_id);
ALTER TABLE ONLY contactsync.quarantine
    ADD CONSTRAINT quarantine_tenant_id_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection(tenant_id, connection_id);
ALTER TABLE ONLY contactsync.stash
    ADD CONSTRAINT stash_tenant_id_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection(tenant_id, connection_id);
ALTER TABLE ONLY keys.data_key
    ADD CONSTRAINT data_key_tenant_id_tenant_version_fkey FOREIGN KEY (tenant_id, tenant_version) REFERENCES keys.tenant_key(tenant_id, version);
ALTER TABLE audit.checkpoint ENABLE ROW LEVEL SECURITY;

CREATE POLICY checkpoint_of_tenant ON audit.checkpoint USING ((tenant_id = contactsync.current_tenant()));

ALTER TABLE audit.entry ENABLE ROW LEVEL SECURITY;

CREATE POLICY entry_of_tenant ON audit.entry USING ((tenant_id = contactsync.current_tenant()));

ALTER TABLE contactsync.backfill ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.backfill_part ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.budget ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.budget_lease ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.certificate ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.connection ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_0 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_1 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_2 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_3 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_4 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_5 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_6 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_7 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_lookup ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_lookup_0 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_lookup_1 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_lookup_2 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_lookup_3 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_lookup_4 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_lookup_5 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_lookup_6 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.contact_lookup_7 ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.delete_hold ENABLE ROW LEVEL SECURITY;

CREATE POLICY directory_reads ON contactsync.connection FOR SELECT USING ((current_setting('app.scope'::text, true) = 'directory'::text));

CREATE POLICY directory_reads ON contactsync.delete_hold FOR SELECT USING ((current_setting('app.scope'::text, true) = ANY (ARRAY['directory'::text, 'freshness'::text])));

CREATE POLICY directory_reads ON contactsync.staged_payload FOR SELECT USING ((current_setting('app.scope'::text, true) = 'directory'::text));

CREATE POLICY directory_reads ON contactsync.tenant FOR SELECT USING ((current_setting('app.scope'::text, true) = 'directory'::text));

CREATE POLICY freshness_reads ON contactsync.connection FOR SELECT USING ((current_setting('app.scope'::text, true) = 'freshness'::text));

CREATE POLICY freshness_reads ON contactsync.pass FOR SELECT USING ((current_setting('app.scope'::text, true) = 'freshness'::text));

ALTER TABLE contactsync.oauth_token ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.offboarding ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_rows ON contactsync.backfill USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.backfill_part USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.budget USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.budget_lease USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.certificate USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.connection USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact USING ((tenant_id = ( SELECT contactsync.current_tenant() AS current_tenant)));

CREATE POLICY own_rows ON contactsync.contact_0 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_1 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_2 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_3 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_4 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_5 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_6 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_7 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_lookup USING ((tenant_id = ( SELECT contactsync.current_tenant() AS current_tenant)));

CREATE POLICY own_rows ON contactsync.contact_lookup_0 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_lookup_1 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_lookup_2 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_lookup_3 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_lookup_4 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_lookup_5 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_lookup_6 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.contact_lookup_7 USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.delete_hold USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.oauth_token USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.offboarding USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.pass USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.progress USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.quarantine USING ((tenant_id = ( SELECT contactsync.current_tenant() AS current_tenant)));

CREATE POLICY own_rows ON contactsync.staged_payload USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.stash USING ((tenant_id = contactsync.current_tenant()));

CREATE POLICY own_rows ON contactsync.tenant USING ((tenant_id = contactsync.current_tenant()));

ALTER TABLE contactsync.pass ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.progress ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.quarantine ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.staged_payload ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.stash ENABLE ROW LEVEL SECURITY;

ALTER TABLE contactsync.tenant ENABLE ROW LEVEL SECURITY;

ALTER TABLE keys.data_key ENABLE ROW LEVEL SECURITY;

CREATE POLICY data_key_of_the_codec_server ON keys.data_key FOR SELECT TO contactsync_codec USING ((purpose = 'payload'::text));

CREATE POLICY data_key_of_the_key_store ON keys.data_key TO contactsync_keys USING (true) WITH CHECK (true);

GRANT USAGE ON SCHEMA audit TO contactsync_app;

GRANT USAGE ON SCHEMA audit TO contactsync_codec;

GRANT USAGE ON SCHEMA contactsync TO contactsync_app;

GRANT USAGE ON SCHEMA contactsync TO contactsync_keys;

GRANT USAGE ON SCHEMA contactsync TO contactsync_codec;

GRANT USAGE ON SCHEMA keys TO contactsync_keys;

GRANT USAGE ON SCHEMA keys TO contactsync_codec;

REVOKE ALL ON FUNCTION audit.append(tenant uuid, after bigint, before bytea, entries text[], hashes bytea[], OUT last_seq bigint, OUT last_hash bytea, OUT appended boolean) FROM PUBLIC;

GRANT ALL ON FUNCTION audit.append(tenant uuid, after bigint, before bytea, entries text[], hashes bytea[], OUT last_seq bigint, OUT last_hash bytea, OUT appended boolean) TO contactsync_app;

GRANT ALL ON FUNCTION audit.append(tenant uuid, after bigint, before bytea, entries text[], hashes bytea[], OUT last_seq bigint, OUT last_hash bytea, OUT appended boolean) TO contactsync_codec;

REVOKE ALL ON FUNCTION audit.head(OUT seq bigint, OUT hash bytea) FROM PUBLIC;

GRANT ALL ON FUNCTION audit.head(OUT seq bigint, OUT hash bytea) TO contactsync_app;

GRANT ALL ON FUNCTION audit.head(OUT seq bigint, OUT hash bytea) TO contactsync_codec;

REVOKE ALL ON FUNCTION contactsync.delete_offboarded(most integer) FROM PUBLIC;

GRANT ALL ON FUNCTION contactsync.delete_offboarded(most integer) TO contactsync_app;

GRANT SELECT ON TABLE audit.chain TO contactsync_app;

GRANT UPDATE(flaw) ON TABLE audit.chain TO contactsync_app;

GRANT UPDATE(flawed_at) ON TABLE audit.chain TO contactsync_app;

GRANT UPDATE(flaw_by_copies) ON TABLE audit.chain TO contactsync_app;

GRANT SELECT,INSERT ON TABLE audit.checkpoint TO contactsync_app;

GRANT SELECT,INSERT ON TABLE audit.entry TO contactsync_app;

GRANT INSERT ON TABLE audit.entry TO contactsync_codec;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.backfill TO contactsync_app;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.backfill_part TO contactsync_app;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.budget TO contactsync_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE contactsync.budget_lease TO contactsync_app;

GRANT SELECT,INSERT ON TABLE contactsync.certificate TO contactsync_app;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.connection TO contactsync_app;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.contact TO contactsync_app;

GRANT SELECT,INSERT,DELETE ON TABLE contactsync.contact_lookup TO contactsync_app;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.delete_hold TO contactsync_app;

GRANT SELECT ON TABLE contactsync.migration TO contactsync_app;

GRANT SELECT ON TABLE contactsync.migration TO contactsync_keys;

GRANT SELECT ON TABLE contactsync.migration TO contactsync_codec;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.oauth_token TO contactsync_app;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.offboarding TO contactsync_app;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.pass TO contactsync_app;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.progress TO contactsync_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE contactsync.quarantine TO contactsync_app;

GRANT SELECT,INSERT,DELETE ON TABLE contactsync.staged_payload TO contactsync_app;

GRANT SELECT,INSERT,DELETE ON TABLE contactsync.stash TO contactsync_app;

GRANT UPDATE(sealed) ON TABLE contactsync.stash TO contactsync_app;

GRANT SELECT,INSERT,UPDATE ON TABLE contactsync.tenant TO contactsync_app;

GRANT SELECT,INSERT ON TABLE keys.data_key TO contactsync_keys;

GRANT SELECT ON TABLE keys.data_key TO contactsync_codec;

GRANT UPDATE(tenant_version) ON TABLE keys.data_key TO contactsync_keys;

GRANT UPDATE(wrapped) ON TABLE keys.data_key TO contactsync_keys;

GRANT UPDATE(destroyed_at) ON TABLE keys.data_key TO contactsync_keys;

GRANT UPDATE(held_at) ON TABLE keys.data_key TO contactsync_keys;

GRANT SELECT,INSERT ON TABLE keys.tenant_key TO contactsync_keys;

GRANT SELECT ON TABLE keys.tenant_key TO contactsync_codec;

GRANT UPDATE(wrapped) ON TABLE keys.tenant_key TO contactsync_keys;

GRANT UPDATE(destroyed_at) ON TABLE keys.tenant_key TO contactsync_keys;

