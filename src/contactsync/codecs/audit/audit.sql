-- name: head
-- the last entry of the present tenant, locked until the transaction ends
SELECT seq, hash FROM audit.head()

-- name: append
-- the next link; a trigger refuses any other
INSERT INTO audit.entry (tenant_id, seq, entry, hash) VALUES ($1, $2, $3, $4)

-- name: entries
-- a tenant's whole log, in order
SELECT tenant_id, seq, entry, hash FROM audit.entry WHERE tenant_id = $1 ORDER BY seq
