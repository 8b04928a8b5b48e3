-- What `contactsync doctor` asks the database about itself and the user who asks.

-- name: server
-- Version, time, and whether it takes writes.
SELECT current_setting('server_version_num')::integer AS version, clock_timestamp() AS now,
    current_setting('transaction_read_only') = 'on' AS read_only

-- name: rights
-- Rights that would set row-level security aside, and roles that the workers' user needs.
SELECT role.rolsuper AS superuser, role.rolbypassrls AS bypasses_rls,
    EXISTS (
        SELECT FROM pg_class
        WHERE relowner = role.oid AND relnamespace IN ('contactsync'::regnamespace, 'keys'::regnamespace)
    ) AS owner,
    pg_has_role(role.oid, 'contactsync_app', 'MEMBER') AS app, pg_has_role(role.oid, 'contactsync_keys', 'MEMBER') AS keys
FROM pg_roles AS role
WHERE role.rolname = current_user
