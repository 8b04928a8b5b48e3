-- Key rotation. The epochs of the row key and the index key under which a tenant's rows are written: whoever commits
-- with older keys is refused, has the newer ones, and does it again.
ALTER TABLE contactsync.tenant
    ADD COLUMN row_epoch integer NOT NULL DEFAULT 1,
    ADD COLUMN index_epoch integer NOT NULL DEFAULT 1;

-- as contacts have it: under which index key `source_index` was made
ALTER TABLE contactsync.quarantine ADD COLUMN index_epoch integer NOT NULL DEFAULT 1;

-- sealed anew under another row key
GRANT UPDATE (sealed) ON contactsync.stash TO contactsync_app;
