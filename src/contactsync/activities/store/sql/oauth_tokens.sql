-- OAuth tokens of connections; see activities/store/oauth_tokens.py.

-- name: read
-- What is held of a connection, and whether somebody is asking for more.
SELECT sealed, version, coalesce(renewing_until > clock_timestamp(), false) AS is_being_renewed
FROM contactsync.oauth_token
WHERE tenant_id = $1 AND connection_id = $2

-- name: claim
-- Takes the turn to ask, unless somebody has it or has just written.
INSERT INTO contactsync.oauth_token AS held (tenant_id, connection_id, renewing_by, renewing_until)
VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $5))
ON CONFLICT (tenant_id, connection_id) DO UPDATE
SET renewing_by = excluded.renewing_by, renewing_until = excluded.renewing_until
WHERE held.version = $4 AND (held.renewing_until IS NULL OR held.renewing_until <= clock_timestamp())
RETURNING true

-- name: keep
-- Writes what the provider gave. Whose turn it is always may; who has lost it, only over what it began with.
UPDATE contactsync.oauth_token
SET sealed = $5, version = version + 1,
    renewing_by = nullif(renewing_by, $3),
    renewing_until = CASE WHEN renewing_by = $3 THEN NULL ELSE renewing_until END
WHERE tenant_id = $1 AND connection_id = $2 AND (version = $4 OR renewing_by = $3)
RETURNING true

-- name: keep_refusal
-- Writes that the provider refused, unless somebody else was given a token meanwhile.
UPDATE contactsync.oauth_token
SET sealed = $5, version = version + 1,
    renewing_by = nullif(renewing_by, $3),
    renewing_until = CASE WHEN renewing_by = $3 THEN NULL ELSE renewing_until END
WHERE tenant_id = $1 AND connection_id = $2 AND version = $4
RETURNING true

-- name: give_back
-- Ends a turn that came to nothing.
UPDATE contactsync.oauth_token
SET renewing_by = NULL, renewing_until = NULL
WHERE tenant_id = $1 AND connection_id = $2 AND renewing_by = $3

-- name: adopt
-- Keeps what a connection's check was given, before anybody else asks.
INSERT INTO contactsync.oauth_token (tenant_id, connection_id, sealed, version)
VALUES ($1, $2, $3, 1)
ON CONFLICT (tenant_id, connection_id) DO NOTHING
