"""A provider that rotates refresh tokens, from `connection add` to a grant that is revoked and renewed."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tests.integration.cli.running import Site
from tests.integration.secrets.providers import FIRST, rotating

from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.syncs import Sync

RENEWED = "planted-refresh-renewed"
TOML = """
url = "{url}"
allow_http = true

[auth]
kind = "refresh_token"
token_url = "{url}token"
client_id = "client"

[list]
path = "contacts"
records = "items"
pagination = {{ kind = "cursor", param = "after", next = "next" }}

[fields]
id = "id"
emails = "email"
"""


async def command(*arguments: str) -> Mapping[str, Any]:
    """What the command prints, run as a process of its own in this environment."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "contactsync", *arguments, "--json", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)


async def outcome(site: Site, sync: Sync) -> tuple[str, str | None]:
    """How a pass ended that was asked for now, and whether the connection is paused then."""
    result = await site.syncs.result(sync, await site.syncs.sync_now(sync))
    return result.outcome, result.paused


async def test_p29_from_the_check_to_a_renewed_grant(
    site: Site, database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P29: the first pass goes on with the check's tokens; a revoked grant pauses, and a new secret goes on at once."""
    monkeypatch.setenv("REFRESH_TOKEN", FIRST)
    tenant_id = await site.tenant()
    async with rotating() as (provider, there), site.worker():
        (file := tmp_path / "crm.toml").write_text(TOML.format(url=there.url))
        added = await command(
            *("connection", "add", "--tenant", str(tenant_id), "--kind", "rest", "--file", str(file)),
            *("--secret", "env:REFRESH_TOKEN", "--interval", "1d", "--no-start"),
        )
        sync = Sync(tenant_id, UUID(added["connection"]["id"]), "rest")
        assert await outcome(site, sync) == ("completed", None)
        assert provider.sent == [FIRST]

        provider.is_revoked = True
        assert await outcome(site, sync) == ("CredentialsRejected", "CredentialsRejected")
        assert provider.sent == [FIRST, "planted-refresh-1"]

        provider.is_revoked, provider.refresh = False, RENEWED
        monkeypatch.setenv("REFRESH_TOKEN", RENEWED)
        await command("connection", "resume", added["connection"]["id"])
        assert await outcome(site, sync) == ("completed", None)
        assert provider.sent == [FIRST, "planted-refresh-1", RENEWED]
    await no_token_in_clear(database_urls)


async def no_token_in_clear(urls: DatabaseUrls) -> None:
    """No row of any table holds a token, in whatever form a dump shows it."""
    owner = await asyncpg.connect(urls.owner)
    tables = await owner.fetch(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('contactsync', 'keys', 'audit')"
    )
    found = 0
    for table in tables:
        await owner.execute(f"ALTER TABLE {table['name']} NO FORCE ROW LEVEL SECURITY")
        for row in await owner.fetch(f"SELECT t::text AS shown FROM {table['name']} t"):  # noqa: S608  # our own names
            found += 1
            assert "planted" not in row["shown"]
            assert b"planted".hex() not in row["shown"]
    await owner.close()
    assert found > 10
