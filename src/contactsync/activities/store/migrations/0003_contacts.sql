-- Contacts. Every value of a person is inside `sealed`; what stands beside it is random, keyed, or a number. No plain
-- digest is kept: a plain hash beside a ciphertext can be searched for.

-- A live contact has its blob and digests; one that is gone keeps its index and its versions, so that what arrives
-- late cannot bring it back.
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
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, contact_id),
    UNIQUE (tenant_id, connection_id, source_index),
    CONSTRAINT contact_live_or_gone CHECK (
        CASE WHEN deleted_at IS NULL
            THEN sealed IS NOT NULL AND content_mac IS NOT NULL
            ELSE sealed IS NULL AND content_mac IS NULL AND etag_mac IS NULL
        END
    )
) PARTITION BY HASH (tenant_id);

-- Where a contact is found by e-mail or phone. Not unique: an address is not an identity.
CREATE TABLE contactsync.contact_lookup (
    tenant_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('email', 'phone')),
    epoch integer NOT NULL,
    blind_index bytea NOT NULL,
    contact_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, kind, epoch, blind_index, contact_id)
) PARTITION BY HASH (tenant_id);
CREATE INDEX contact_lookup_contact ON contactsync.contact_lookup (tenant_id, contact_id);

-- What the source listed and could not be kept, by reason; goes when it arrives well, or is listed no more.
CREATE TABLE contactsync.quarantine (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    source_index bytea NOT NULL,
    reason text NOT NULL,
    pass_id uuid NOT NULL,
    generation bigint NOT NULL,
    sealed_source_id bytea NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, connection_id, source_index),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection
);

DO $$
DECLARE
    parent text;
    child text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['contact', 'contact_lookup'] LOOP
        FOR part IN 0..7 LOOP
            child := format('%s_%s', parent, part);
            EXECUTE format('CREATE TABLE contactsync.%I PARTITION OF contactsync.%I FOR VALUES WITH (MODULUS 8, REMAINDER %s)', child, parent, part);
            EXECUTE format('ALTER TABLE contactsync.%I ENABLE ROW LEVEL SECURITY', child);
            EXECUTE format('ALTER TABLE contactsync.%I FORCE ROW LEVEL SECURITY', child);
            EXECUTE format('CREATE POLICY own_rows ON contactsync.%I USING (tenant_id = contactsync.current_tenant())', child);
        END LOOP;
    END LOOP;
    FOREACH parent IN ARRAY ARRAY['contact', 'contact_lookup', 'quarantine'] LOOP
        EXECUTE format('ALTER TABLE contactsync.%I ENABLE ROW LEVEL SECURITY', parent);
        EXECUTE format('ALTER TABLE contactsync.%I FORCE ROW LEVEL SECURITY', parent);
        EXECUTE format('CREATE POLICY own_rows ON contactsync.%I USING (tenant_id = contactsync.current_tenant())', parent);
    END LOOP;
    -- a complete listing touches every row: room on the page keeps those updates out of the indexes
    FOR part IN 0..7 LOOP
        EXECUTE format('ALTER TABLE contactsync.contact_%s SET (fillfactor = 80)', part);
    END LOOP;
END
$$;

-- on the parents only: a partition is not reached around them
GRANT SELECT, INSERT, UPDATE ON contactsync.contact TO contactsync_app;
GRANT SELECT, INSERT, DELETE ON contactsync.contact_lookup TO contactsync_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON contactsync.quarantine TO contactsync_app;
