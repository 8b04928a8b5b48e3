-- What a page costs PostgreSQL. Nothing here changes what is stored, or who may see it.

-- A complete listing writes every row it names: with half a page of room each such update stays on its page and out of
-- the indexes, and in the end the table is smaller, since rows that move leave holes. Pages filled before stay as they
-- are until they are written anew.
DO $$
BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('ALTER TABLE contactsync.contact_%s SET (fillfactor = 50)', part);
    END LOOP;
END
$$;

-- Two indexes as before, each narrower to compare: by contact, where the rows of one stand together (and contact ids
-- ascend), and by the blind index alone, which differs by tenant, kind and epoch already, since their keys do.
ALTER TABLE contactsync.contact_lookup DROP CONSTRAINT contact_lookup_pkey;
DROP INDEX contactsync.contact_lookup_contact;
ALTER TABLE contactsync.contact_lookup ADD PRIMARY KEY (tenant_id, contact_id, kind, epoch, blind_index);
CREATE INDEX contact_lookup_found ON contactsync.contact_lookup (blind_index);

-- The tenant is read once a statement, not once a row.
ALTER POLICY own_rows ON contactsync.contact USING (tenant_id = (SELECT contactsync.current_tenant()));
ALTER POLICY own_rows ON contactsync.contact_lookup USING (tenant_id = (SELECT contactsync.current_tenant()));
ALTER POLICY own_rows ON contactsync.quarantine USING (tenant_id = (SELECT contactsync.current_tenant()));
