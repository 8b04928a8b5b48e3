-- For tests only: every version of every contact row, and of every progress row, in the order in which they were
-- written. A trigger writes them in the transaction that makes them, so that one that is rolled back leaves nothing.
CREATE SCHEMA history;

CREATE TABLE history.contact (
    written bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deed text NOT NULL,
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    source_index bytea NOT NULL,
    source_version bigint,
    observed bigint NOT NULL,
    generation bigint NOT NULL,
    sealed bytea
);
CREATE INDEX contact_connection ON history.contact (connection_id, written);

CREATE TABLE history.progress (
    written bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id uuid NOT NULL,
    epoch bigint NOT NULL,
    page bigint NOT NULL,
    generation bigint NOT NULL
);
CREATE INDEX progress_connection ON history.progress (connection_id, written);

CREATE FUNCTION history.note_contact() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    version record := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    INSERT INTO history.contact
        (deed, tenant_id, connection_id, contact_id, source_index, source_version, observed, generation, sealed)
    VALUES (TG_OP, version.tenant_id, version.connection_id, version.contact_id, version.source_index,
        version.source_version, version.observed, version.generation, version.sealed);
    RETURN NULL;
END
$$;

CREATE FUNCTION history.note_progress() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO history.progress (connection_id, epoch, page, generation)
    VALUES (NEW.connection_id, NEW.epoch, NEW.page, NEW.generation);
    RETURN NULL;
END
$$;

CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON contactsync.contact
    FOR EACH ROW EXECUTE FUNCTION history.note_contact();
CREATE TRIGGER history AFTER INSERT OR UPDATE ON contactsync.progress
    FOR EACH ROW EXECUTE FUNCTION history.note_progress();
