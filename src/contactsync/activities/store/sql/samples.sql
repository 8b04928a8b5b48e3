-- One sealed row of each kind, to see that a tenant's keys still open what they sealed.

-- name: samples
-- A contact of a tenant, and its newest connection.
(SELECT 'contact' AS kind, contact_id AS id, sealed
    FROM contactsync.contact
    WHERE tenant_id = $1 AND contact_id > '00000000-0000-0000-0000-000000000000'  -- all: read by the tenant's index
        AND sealed IS NOT NULL
    LIMIT 1)
UNION ALL
(SELECT 'connection', connection_id, sealed_settings
    FROM contactsync.connection
    WHERE tenant_id = $1
    ORDER BY created_at DESC LIMIT 1)
