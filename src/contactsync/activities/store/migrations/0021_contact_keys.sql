-- What statistics do not know, PostgreSQL takes for one row: a page's contacts of a tenant that is not among their most
-- common values were looked for by the tenant alone, and all of its rows read for each page. So that each statement has one
-- index that serves it, whatever is estimated: a page's contacts are found by a key that begins with their connection...
ALTER TABLE contactsync.contact DROP CONSTRAINT contact_pkey;
ALTER TABLE contactsync.contact DROP CONSTRAINT contact_tenant_id_connection_id_source_index_key;
ALTER TABLE contactsync.contact ADD PRIMARY KEY (connection_id, source_index, tenant_id);
-- ...and the index that begins with the tenant serves only who asks for a `contact_id`: that is what the condition, true of
-- all rows, is for.
CREATE UNIQUE INDEX contact_of_tenant ON contactsync.contact (tenant_id, contact_id) WHERE contact_id IS NOT NULL;

-- As before, and a tenant's contacts are found by its index.
CREATE OR REPLACE FUNCTION contactsync.delete_offboarded(most integer)
RETURNS TABLE (relation text, deleted bigint)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine uuid := contactsync.current_tenant();
    room bigint := most;
    found record;
BEGIN
    IF NOT EXISTS (
        SELECT FROM contactsync.offboarding o JOIN contactsync.tenant t USING (tenant_id)
        WHERE o.tenant_id = mine AND o.decided_at IS NOT NULL AND t.disabled_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'the end of this tenant is not decided' USING ERRCODE = 'restrict_violation';
    END IF;
    -- whoever writes for a connection holds it or a row that refers to it: wait for them, and let no other begin
    PERFORM FROM contactsync.connection c WHERE c.tenant_id = mine FOR UPDATE;
    FOR found IN
        WITH RECURSIVE tables AS (
            SELECT c.oid, c.relname
            FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
            WHERE c.relnamespace = 'contactsync'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                AND c.relname NOT IN ('tenant', 'offboarding', 'certificate')
        ),
        depth AS (
            SELECT oid, 0 AS level FROM tables
            UNION
            SELECT k.conrelid, d.level + 1
            FROM depth d
            JOIN pg_constraint k ON k.contype = 'f' AND k.confrelid = d.oid AND k.conrelid <> d.oid
        )
        SELECT t.relname, max(d.level) AS level
        FROM tables t JOIN depth d USING (oid)
        GROUP BY t.relname
        ORDER BY max(d.level) DESC, t.relname COLLATE "C"
    LOOP
        EXIT WHEN room <= 0;
        EXECUTE format(
            'DELETE FROM contactsync.%1$I WHERE tenant_id = $1'
            ' AND ctid = ANY (ARRAY(SELECT ctid FROM contactsync.%1$I WHERE tenant_id = $1%2$s LIMIT $2))',
            found.relname,
            CASE found.relname WHEN 'contact' THEN ' AND contact_id > ''00000000-0000-0000-0000-000000000000''' END
        ) USING mine, room;
        GET DIAGNOSTICS deleted = ROW_COUNT;
        IF deleted > 0 THEN
            relation := found.relname;
            room := room - deleted;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
