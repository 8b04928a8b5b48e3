-- Deletions that wait for approval, aliases, and generations that live sync and backfills share.

-- `merged_into`: the contact that a tombstone's id is found under now. `delete_held`: on a live contact, the
-- observation by which it is gone, until someone decides or it is seen again.
ALTER TABLE contactsync.contact
    ADD COLUMN merged_into uuid,
    ADD COLUMN delete_held bigint,
    ADD CONSTRAINT contact_merged_is_gone CHECK (merged_into IS NULL OR deleted_at IS NOT NULL),
    ADD CONSTRAINT contact_held_is_live CHECK (delete_held IS NULL OR deleted_at IS NULL);

-- what is held, without reading a connection's other contacts
CREATE INDEX contact_held ON contactsync.contact (tenant_id, connection_id) WHERE delete_held IS NOT NULL;

-- a page that was read before an entry was made neither replaces nor clears it
ALTER TABLE contactsync.quarantine ADD COLUMN observed bigint NOT NULL DEFAULT 0;

-- `generation` is the last number given out; `swept_generation` that of the last sweep; `hold_id` the open hold.
ALTER TABLE contactsync.progress
    ADD COLUMN swept_generation bigint NOT NULL DEFAULT 0,
    ADD COLUMN hold_id uuid;

-- `merged`: those of `deleted` that live on in another contact. `live`: the contacts when the pass began, as far as
-- the delete guard had to know.
ALTER TABLE contactsync.pass
    ADD COLUMN held bigint NOT NULL DEFAULT 0,
    ADD COLUMN merged bigint NOT NULL DEFAULT 0,
    ADD COLUMN live bigint;

-- whose listing it is: NULL for that of a pass, else a backfill's, and which part of it
ALTER TABLE contactsync.stash
    ADD COLUMN owner uuid,
    ADD COLUMN owner_part integer;

-- when a connection counts as late; NULL: by its interval
ALTER TABLE contactsync.connection ADD COLUMN objective_seconds integer CHECK (objective_seconds > 0);

-- Deletions that the guard holds. `contacts`: how many wait, or were decided on; `live`: of how many.
CREATE TABLE contactsync.delete_hold (
    tenant_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    cause text NOT NULL CHECK (cause IN ('listing', 'tombstones', 'empty')),
    contacts bigint NOT NULL,
    live bigint NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decision text CHECK (decision IN ('approved', 'rejected', 'resolved')),
    PRIMARY KEY (tenant_id, hold_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES contactsync.connection,
    CONSTRAINT delete_hold_decided CHECK ((decided_at IS NULL) = (decision IS NULL))
);
CREATE UNIQUE INDEX delete_hold_open ON contactsync.delete_hold (tenant_id, connection_id) WHERE decided_at IS NULL;

ALTER TABLE contactsync.delete_hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE contactsync.delete_hold FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON contactsync.delete_hold USING (tenant_id = contactsync.current_tenant());

-- what waits for a person must be found without knowing whose it is: ids, codes, counts and times only
CREATE POLICY directory_reads ON contactsync.delete_hold FOR SELECT
    USING (current_setting('app.scope', true) IN ('directory', 'freshness'));

GRANT SELECT, INSERT, UPDATE ON contactsync.delete_hold TO contactsync_app;
