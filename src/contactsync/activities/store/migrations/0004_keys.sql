-- The key store. Keys are wrapped: tenant keys by the root key, which is not in the database, data keys by their
-- tenant's key. A destroyed key keeps its row with the wrapped bytes gone, for ever.
CREATE TABLE keys.tenant_key (
    tenant_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    kid bytea NOT NULL UNIQUE CHECK (octet_length(kid) = 16),
    wrapped bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    PRIMARY KEY (tenant_id, version),
    CONSTRAINT tenant_key_destroyed CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

-- `epoch` counts a purpose's keys; that of a payload key is its UTC day in days since 1970-01-01. One key for each
-- tenant, purpose and epoch: that is how racing workers agree on the day's payload key.
CREATE TABLE keys.data_key (
    kid bytea PRIMARY KEY CHECK (octet_length(kid) = 16),
    tenant_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('payload', 'row', 'index', 'suppression')),
    epoch integer NOT NULL CHECK (epoch >= 0),
    tenant_version integer NOT NULL,
    wrapped bytea,
    encrypt_until timestamptz,
    destroy_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    UNIQUE (tenant_id, purpose, epoch),
    FOREIGN KEY (tenant_id, tenant_version) REFERENCES keys.tenant_key (tenant_id, version),
    CONSTRAINT data_key_destroyed CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CONSTRAINT data_key_window CHECK (
        CASE WHEN purpose = 'payload'
            THEN encrypt_until IS NOT NULL AND destroy_at IS NOT NULL
                AND destroy_at > encrypt_until AND destroy_at <= encrypt_until + interval '720 hours'
            ELSE encrypt_until IS NULL AND destroy_at IS NULL
        END
    )
);

-- what is due to be destroyed
CREATE INDEX data_key_due ON keys.data_key (destroy_at) WHERE wrapped IS NOT NULL AND destroy_at IS NOT NULL;

-- Destroyed is for ever, and a key's identity never changes: whoever may update may re-wrap and destroy, no more.
CREATE FUNCTION keys.refuse_resurrection() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog
AS $$
BEGIN
    IF OLD.destroyed_at IS NOT NULL THEN
        RAISE EXCEPTION 'a destroyed key cannot be changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER tenant_key_destroyed_for_ever BEFORE UPDATE ON keys.tenant_key
FOR EACH ROW EXECUTE FUNCTION keys.refuse_resurrection();

CREATE TRIGGER data_key_destroyed_for_ever BEFORE UPDATE ON keys.data_key
FOR EACH ROW EXECUTE FUNCTION keys.refuse_resurrection();

GRANT SELECT, INSERT ON keys.tenant_key, keys.data_key TO contactsync_keys;
GRANT UPDATE (wrapped, destroyed_at) ON keys.tenant_key TO contactsync_keys;
GRANT UPDATE (wrapped, tenant_version, destroyed_at) ON keys.data_key TO contactsync_keys;

-- The codec server reads payload keys, and the tenant keys that open them; row, index and suppression keys are not
-- there for it.
GRANT SELECT ON keys.tenant_key, keys.data_key TO contactsync_codec;

ALTER TABLE keys.data_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE keys.data_key FORCE ROW LEVEL SECURITY;
CREATE POLICY data_key_of_the_key_store ON keys.data_key TO contactsync_keys USING (true) WITH CHECK (true);
CREATE POLICY data_key_of_the_codec_server ON keys.data_key FOR SELECT TO contactsync_codec
    USING (purpose = 'payload');
