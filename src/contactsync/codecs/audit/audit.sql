-- name: head
-- the last entry of the present tenant, locked until the transaction ends
SELECT seq, hash FROM audit.head()

-- name: append
-- the next link; a trigger refuses any other
INSERT INTO audit.entry (tenant_id, seq, entry, hash) VALUES ($1, $2, $3, $4)

-- name: entries
-- a tenant's log in order, from one entry to another (NULL: to its end)
SELECT seq, entry, hash
FROM audit.entry
WHERE tenant_id = $1 AND seq >= $2 AND ($3::bigint IS NULL OR seq <= $3)
ORDER BY seq

-- name: entries_like
-- a tenant's entries whose text is like one of these, in order
SELECT entry FROM audit.entry WHERE tenant_id = $1 AND entry LIKE ANY ($2::text[]) ORDER BY seq

-- name: checkpoints
-- a tenant's checkpoints in order
SELECT size, note FROM audit.checkpoint WHERE tenant_id = $1 ORDER BY size

-- name: last_checkpoint
-- the newest of them
SELECT size, note FROM audit.checkpoint WHERE tenant_id = $1 ORDER BY size DESC LIMIT 1

-- name: checkpointing
-- one checkpoint of a log at a time
SELECT pg_advisory_xact_lock(hashtextextended('contactsync.checkpoint/' || $1::uuid::text, 0))

-- name: add_checkpoint
-- the next one; a trigger refuses what the log does not say
INSERT INTO audit.checkpoint (tenant_id, size, note) VALUES ($1, $2, $3)

-- name: chain
-- how long the log was, and up to where it had a checkpoint
SELECT entries, checkpointed FROM audit.chain WHERE tenant_id = $1

-- name: logs
-- whose logs there are
SELECT tenant_id FROM audit.chain ORDER BY tenant_id

-- name: due
-- logs that grew so much since their checkpoint, or grew at all and have none that is so young
SELECT tenant_id
FROM audit.chain
WHERE entries > checkpointed AND ($1::uuid IS NULL OR tenant_id > $1)
    AND (entries - checkpointed >= $2 OR checkpointed_at IS NULL OR checkpointed_at <= $3)
ORDER BY tenant_id
LIMIT $4

-- name: note_flaw
-- what a check of a log found ($3: with copies of checkpoints), where it is not what is known already
UPDATE audit.chain
SET flaw = $2,
    flawed_at = CASE WHEN $2::text IS NOT NULL THEN now() END,
    flaw_by_copies = $2::text IS NOT NULL AND ($3 OR flaw_by_copies)
WHERE tenant_id = $1 AND flaw IS DISTINCT FROM $2::text AND ($2::text IS NOT NULL OR $3 OR NOT flaw_by_copies)

-- name: flawed
-- logs with which something is wrong
SELECT tenant_id, flaw, flawed_at FROM audit.chain WHERE flaw IS NOT NULL ORDER BY tenant_id

-- name: append_links
-- entries behind the last one, if that is the one they are linked to; either way which one is the last now
SELECT last_seq, last_hash, appended FROM audit.append($1, $2, $3, $4, $5)
