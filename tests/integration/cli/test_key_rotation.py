"""Rotating keys, as a person orders it."""

import asyncio
from datetime import timedelta

import pytest
import typer
from tests.integration.cli.running import Site, printed, until

from contactsync.errors import NoWorker, RootKeyRefused, StillUnderWay
from contactsync.identifiers import PLATFORM_TENANT
from contactsync.workers.cli import key_rotation
from contactsync.workers.cli.key_care import key_status, verify_keys
from contactsync.workers.cli.key_rotation import (
    end_root,
    new_root,
    rewrap_all,
    rotate_tenant,
    rotation_status,
)
from contactsync.workers.cli.main import run_command

HOUR = timedelta(hours=1)
NOTHING_BUT_TIME = {"settling", "waiting", "ended"}


async def _synced(site: Site, contacts: int = 30) -> str:
    """A tenant with contacts."""
    sync = await site.connect({"made_up": contacts})
    await site.syncs.result(sync, await site.syncs.sync_now(sync))
    return str(sync.tenant_id)


async def test_a_tenants_keys_rotate_while_somebody_watches(site: Site) -> None:
    """The command answers once only time has to pass, and names the keys, the rows and when the older ones may end."""
    async with site.worker():
        tenant = await _synced(site)
        document = printed(await rotate_tenant(tenant, HOUR, index=True, reseal=True, yes=True))
        assert (document["phase"], document["version"]) == ("settling", 2)
        assert (document["index_epoch"], document["row_epoch"], document["reindexed_rows"]) == (2, 2, 30)
        assert document["resealed_rows"] >= 32  # settings and cursor too
        again = printed(await rotate_tenant(tenant, HOUR, index=False, reseal=False, yes=False))
        assert again == printed(await rotation_status(tenant))
        assert again["version"] == 2
        assert (await verify_keys(tenant)).exit_code == 0
        await site.syncs.client.get_workflow_handle(f"rotate/{tenant}").terminate("maintenance")


async def test_the_tenant_key_alone(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Without options only the tenant key is replaced, after its plan was shown and agreed to."""
    async with site.worker():
        tenant = await _synced(site, 3)
        with pytest.raises(typer.BadParameter):
            await rotate_tenant(tenant, HOUR, index=False, reseal=False, yes=False)
        assert "wraps its data keys" in capsys.readouterr().err
        report = await rotate_tenant(tenant, HOUR, index=False, reseal=False, yes=True)
    document = printed(report)
    assert (document["phase"], document["version"], document["index_epoch"]) == ("ended", 2, None)
    assert report.picture() is not None
    [mine] = printed(await key_status(tenant))["tenants"]
    assert [(each["version"], each["destroyed"]) for each in mine["versions"]] == [(1, True), (2, False)]


async def test_nothing_is_said_of_what_never_was(site: Site) -> None:
    """A tenant that was never rotated has no phase, and without a worker nothing is begun in silence."""
    tenant = str(await site.tenant())
    assert printed(await rotation_status(tenant))["phase"] is None
    with pytest.raises(NoWorker):
        await rotate_tenant(tenant, HOUR, index=False, reseal=False, yes=True)


async def test_the_root_key_rotates(site: Site) -> None:
    """Every tenant key is wrapped by the newer version; the older one goes when asked, and not before it is idle."""
    tenants = [await site.tenant() for _ in range(2)]
    with pytest.raises(typer.BadParameter):
        await new_root(yes=False)
    assert printed(await new_root(yes=True)) == {"root_version": 2, "tenant_keys": 3, "rewrapped": 3}
    assert printed(await rewrap_all(yes=True)) == {"root_version": 2, "tenant_keys": 3, "rewrapped": 0}
    with pytest.raises(RootKeyRefused):
        await end_root(2, yes=True)
    await site.parts.ring.rotation().rotate_root()
    with pytest.raises(RootKeyRefused, match="3 tenant keys"):
        await end_root(2, yes=True)
    await rewrap_all(yes=True)
    for version in (1, 2):
        assert printed(await end_root(version, yes=True)) == {"destroyed_root_version": version}
    site.parts.ring.forget()
    for tenant in tenants:
        await site.parts.ring.tenant_sealer(tenant)
    async with site.parts.database.transaction(PLATFORM_TENANT) as connection:
        rows = await connection.fetch(
            "SELECT entry::jsonb ->> 'kind' AS kind FROM audit.entry"
            " WHERE entry::jsonb -> 'detail' ->> 'key' = 'root' ORDER BY seq"
        )
    kinds = [row["kind"] for row in rows]
    assert kinds == ["key_made", "keys_rewrapped", "keys_rewrapped", "key_destroyed", "key_destroyed"]


@pytest.mark.parametrize("settle", ["1s", "8d", "soon"])
async def test_a_settling_time_that_is_none_is_refused(settle: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Shorter than a minute or longer than a week is refused before anything is opened."""
    code = await asyncio.to_thread(run_command, ["keys", "rotate", "0000", "--settle", settle, "--json"])
    assert code == 2
    assert "UsageError" in capsys.readouterr().err


async def test_what_takes_long_goes_on_unwatched(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than a minute: the command says how to look again, and the rotation goes on."""
    monkeypatch.setattr(key_rotation, "_FOLLOWED_SECONDS", 0.0)
    async with site.worker():
        tenant = await _synced(site, 3)
        with pytest.raises(StillUnderWay, match="--status"):
            await rotate_tenant(tenant, HOUR, index=False, reseal=True, yes=True)
        await until(lambda: _has_only_to_wait(tenant))
        await site.syncs.client.get_workflow_handle(f"rotate/{tenant}").terminate("maintenance")


async def _has_only_to_wait(tenant: str) -> bool:
    return printed(await rotation_status(tenant))["phase"] in NOTHING_BUT_TIME
