-- What the last check of a log found wrong, so that whoever watches need not read logs: a worker that signs checkpoints
-- notes it, and `contactsync audit verify`, which also takes it away again. What was found by copies of checkpoints is
-- only taken away by a check that has copies. It proves nothing by itself.
ALTER TABLE audit.chain ADD COLUMN flaw text CHECK (flaw ~ '^[a-z_]{1,40}$');
ALTER TABLE audit.chain ADD COLUMN flawed_at timestamptz;
ALTER TABLE audit.chain ADD COLUMN flaw_by_copies boolean NOT NULL DEFAULT false;

GRANT UPDATE (flaw, flawed_at, flaw_by_copies) ON audit.chain TO contactsync_app;
