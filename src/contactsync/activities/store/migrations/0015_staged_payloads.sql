-- Sealed payloads that are too large for Temporal's history, where that is wanted. They are ciphertext, and belong to
-- one run of a workflow, with which they go. Payloads under a key that was destroyed are noise until then.
CREATE TABLE contactsync.staged_payload (
    tenant_id uuid NOT NULL,
    object_id uuid NOT NULL,
    workflow_id text NOT NULL,
    run_id uuid NOT NULL,
    payload bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, object_id)
);

-- ciphertext does not get smaller
ALTER TABLE contactsync.staged_payload ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE INDEX staged_payload_of_run ON contactsync.staged_payload (tenant_id, run_id);

ALTER TABLE contactsync.staged_payload ENABLE ROW LEVEL SECURITY;
ALTER TABLE contactsync.staged_payload FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON contactsync.staged_payload USING (tenant_id = contactsync.current_tenant());

-- what ended runs left must be found without knowing whose they were
CREATE POLICY directory_reads ON contactsync.staged_payload FOR SELECT
    USING (current_setting('app.scope', true) = 'directory');

GRANT SELECT, INSERT, DELETE ON contactsync.staged_payload TO contactsync_app;
