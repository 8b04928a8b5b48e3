-- The OAuth tokens of connections, sealed: a provider that ends one refresh token when it gives out the next leaves the
-- connection's secret behind.

-- One row a connection, made when its first token is asked for. `sealed` is NULL until there is one; `version` counts
-- what was written. Who asks the provider holds the row by `renewing_by`, until `renewing_until` at most.
CREATE TABLE contactsync.oauth_token (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    sealed bytea,
    version bigint NOT NULL DEFAULT 0,
    renewing_by uuid,
    renewing_until timestamptz,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection,
    CONSTRAINT oauth_token_renewed_by_one CHECK ((renewing_by IS NULL) = (renewing_until IS NULL))
);

ALTER TABLE contactsync.oauth_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE contactsync.oauth_token FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON contactsync.oauth_token USING (tenant_id = contactsync.current_tenant());

GRANT SELECT, INSERT, UPDATE ON contactsync.oauth_token TO contactsync_app;
