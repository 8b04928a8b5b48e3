-- Entries appended in one statement that is a transaction of its own, for whoever has nothing else to write with them: the
-- codec server, whose every answer waits for it. The caller says which entry it takes for the last one and links its
-- own to that. If it is the last one they are appended; if not nothing is, and either way the last one is told. It has no
-- rights of its own: the triggers and rules of the log hold for it as for any INSERT.
CREATE FUNCTION audit.append(
    tenant uuid,
    after bigint,
    before bytea,
    entries text[],
    hashes bytea[],
    OUT last_seq bigint,
    OUT last_hash bytea,
    OUT appended boolean
)
LANGUAGE plpgsql
SET search_path = pg_catalog
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

REVOKE ALL ON FUNCTION audit.append(uuid, bigint, bytea, text[], bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.append(uuid, bigint, bytea, text[], bytea[]) TO contactsync_app, contactsync_codec;
