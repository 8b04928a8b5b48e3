-- Key life. A payload key that an open execution still needs when its destroy date comes is held instead of destroyed:
-- it goes on opening, is reported, and is destroyed when that execution has ended.
ALTER TABLE keys.data_key ADD COLUMN held_at timestamptz;
ALTER TABLE keys.data_key ADD CONSTRAINT data_key_held CHECK (held_at IS NULL OR purpose = 'payload');
GRANT UPDATE (held_at) ON keys.data_key TO contactsync_keys;

-- what is reported: few rows, also where there are many tenants
CREATE INDEX data_key_held ON keys.data_key (held_at) WHERE wrapped IS NOT NULL AND held_at IS NOT NULL;

-- Every process that has keys in memory listens on channel contactsync_keys. '<tenant>': its keys changed, forget all
-- of them. '<tenant>/<key id>': this payload key changed. A day's new payload key is no change to anything in memory.
CREATE FUNCTION keys.tell_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog
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

CREATE TRIGGER tenant_key_change_is_told AFTER INSERT OR UPDATE ON keys.tenant_key
FOR EACH ROW EXECUTE FUNCTION keys.tell_change();

CREATE TRIGGER data_key_change_is_told AFTER INSERT OR UPDATE ON keys.data_key
FOR EACH ROW EXECUTE FUNCTION keys.tell_change();
