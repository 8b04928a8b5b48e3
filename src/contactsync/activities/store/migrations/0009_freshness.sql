-- The freshness watch looks across tenants, by the database alone: when each connection last reached its source's
-- present and how its newest pass ended (and, by 0006, how many deletions wait). Ids, codes, counts and times only.

-- the newest completed pass of each connection, one probe each, however long the history is
CREATE INDEX pass_completed ON contactsync.pass (tenant_id, connection_id, ended_at) WHERE outcome = 'completed';

-- a scope of its own: `tenant list` and the like still see no pass
CREATE POLICY freshness_reads ON contactsync.connection FOR SELECT
    USING (current_setting('app.scope', true) = 'freshness');
CREATE POLICY freshness_reads ON contactsync.pass FOR SELECT
    USING (current_setting('app.scope', true) = 'freshness');
