-- The audit log: append-only, a chain of hashes for each tenant, without gaps. `entry` is canonical JSON as
-- contactsync.codecs.audit.log writes it, kept as text so that what was hashed is what is there:
--   hash = SHA-256(hash of the entry before ‖ entry), 32 zero bytes standing before the first.
-- It refers to no other table, since it outlives what it tells of.
CREATE TABLE audit.entry (
    tenant_id uuid NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    entry text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tenant_id, seq)
);

ALTER TABLE audit.entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.entry FORCE ROW LEVEL SECURITY;
CREATE POLICY entry_of_tenant ON audit.entry USING (tenant_id = contactsync.current_tenant());

-- The last entry of the present tenant, under a lock that appends wait for until the transaction ends. It answers to
-- roles that may append and not read.
CREATE FUNCTION audit.head(OUT seq bigint, OUT hash bytea)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog
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

-- Whoever may append may only append the next link.
CREATE FUNCTION audit.refuse_wrong_link() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog
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

CREATE FUNCTION audit.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog
AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER entry_is_next_link BEFORE INSERT ON audit.entry
FOR EACH ROW EXECUTE FUNCTION audit.refuse_wrong_link();

CREATE TRIGGER entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.entry
FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

REVOKE ALL ON audit.entry FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.head() FROM PUBLIC;
GRANT SELECT, INSERT ON audit.entry TO contactsync_app;
GRANT INSERT ON audit.entry TO contactsync_codec;
GRANT EXECUTE ON FUNCTION audit.head() TO contactsync_app, contactsync_codec;
