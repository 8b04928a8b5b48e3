-- Roles and schemas. The roles are groups without login: the platform's own login users are granted them.
--   contactsync_app    workers and the command line: the tables of `contactsync`
--   contactsync_keys   the key store: the tables of `keys`
--   contactsync_codec  the codec server: reads payload keys only, and appends to the audit log
-- None owns anything, so row-level security holds for them. Roles belong to the cluster, not to this database:
-- where another database's migration, or an administrator, made them already, they are taken as they are.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['contactsync_app', 'contactsync_keys', 'contactsync_codec'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database's migration was faster
            END;
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA keys;
CREATE SCHEMA audit;

GRANT USAGE ON SCHEMA contactsync TO contactsync_app;
GRANT USAGE ON SCHEMA keys TO contactsync_keys, contactsync_codec;
GRANT USAGE ON SCHEMA audit TO contactsync_app, contactsync_codec;

-- each process checks at its start that the schema is the one it needs
GRANT USAGE ON SCHEMA contactsync TO contactsync_keys, contactsync_codec;
GRANT SELECT ON contactsync.migration TO contactsync_app, contactsync_keys, contactsync_codec;
