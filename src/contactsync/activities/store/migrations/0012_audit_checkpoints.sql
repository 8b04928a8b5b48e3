-- Checkpoints of the audit log: signed notes that say "this log had so many entries, and the last one's hash was this".
-- They are signed by a key that is derived from the platform tenant's `audit` data key, which workers open and the
-- codec server does not see.
ALTER TABLE keys.data_key DROP CONSTRAINT data_key_purpose_check;
ALTER TABLE keys.data_key ADD CONSTRAINT data_key_purpose_check
    CHECK (purpose IN ('payload', 'row', 'index', 'suppression', 'audit'));

-- Which logs there are, how long they are, and up to where they have a checkpoint: only numbers, for whoever has to
-- find what is due. Triggers keep it; it proves nothing, but a tail that is cut off by hand shows here too.
CREATE TABLE audit.chain (
    tenant_id uuid PRIMARY KEY,
    entries bigint NOT NULL CHECK (entries > 0),
    checkpointed bigint NOT NULL DEFAULT 0 CHECK (checkpointed >= 0),
    checkpointed_at timestamptz
) WITH (fillfactor = 50);

ALTER TABLE audit.entry NO FORCE ROW LEVEL SECURITY;
INSERT INTO audit.chain (tenant_id, entries) SELECT tenant_id, max(seq) FROM audit.entry GROUP BY tenant_id;
ALTER TABLE audit.entry FORCE ROW LEVEL SECURITY;

CREATE FUNCTION audit.count_entry() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog
AS $$
BEGIN
    INSERT INTO audit.chain (tenant_id, entries) VALUES (NEW.tenant_id, NEW.seq)
    ON CONFLICT (tenant_id) DO UPDATE SET entries = greatest(chain.entries, excluded.entries);
    RETURN NULL;
END
$$;

CREATE TRIGGER entry_is_counted AFTER INSERT ON audit.entry
FOR EACH ROW EXECUTE FUNCTION audit.count_entry();

-- `note` is a C2SP checkpoint as a signed note; `size` repeats its second line.
CREATE TABLE audit.checkpoint (
    tenant_id uuid NOT NULL,
    size bigint NOT NULL CHECK (size > 0),
    note text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, size)
);

ALTER TABLE audit.checkpoint ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.checkpoint FORCE ROW LEVEL SECURITY;
CREATE POLICY checkpoint_of_tenant ON audit.checkpoint USING (tenant_id = contactsync.current_tenant());

-- Only about an entry that is there, as it is there, and only onwards. The signature is the business of whoever reads.
CREATE FUNCTION audit.refuse_wrong_checkpoint() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog
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

CREATE TRIGGER checkpoint_is_next BEFORE INSERT ON audit.checkpoint
FOR EACH ROW EXECUTE FUNCTION audit.refuse_wrong_checkpoint();

CREATE TRIGGER checkpoint_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.checkpoint
FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

REVOKE ALL ON audit.chain, audit.checkpoint FROM PUBLIC;
GRANT SELECT ON audit.chain TO contactsync_app;
GRANT SELECT, INSERT ON audit.checkpoint TO contactsync_app;
