"""How keys stand, that they open, and their end, as a person sees and orders it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import typer
from tests.integration.cli.running import Site, printed

from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.sources.memory import AddressBook, shared
from contactsync.codecs.keys.key import DataKey, KeyPurpose
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import RootKeyUnavailable, TenantNotFound
from contactsync.identifiers import PLATFORM_TENANT
from contactsync.postgres import Database
from contactsync.workers.bootstrap import opened_root
from contactsync.workers.cli.key_care import end_keys, key_status, verify_keys
from contactsync.workers.cli.watch import look_once
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.settings import PREFIX

DAY = timedelta(days=1)


async def _key_of(site: Site, tenant_id: UUID, days_ago: int) -> DataKey:
    """A payload key of another day, as the process of that day made it."""
    async with opened_root(site.settings) as root:
        ring = KeyRing(site.parts.ring.store, root, clock=lambda: datetime.now(UTC) - days_ago * DAY)
        return await ring.payload_key(tenant_id)


async def _synced(site: Site) -> UUID:
    """A tenant with a connection and contacts."""
    with shared(AddressBook({str(n): contact for n, contact in enumerate(made_up_contacts(3, 1))})) as name:
        async with site.worker():
            sync = await site.connect({"shared": name})
            await site.syncs.result(sync, await site.syncs.sync_now(sync))
    return sync.tenant_id


async def test_status_counts_every_tenants_keys(site: Site) -> None:
    """Versions, purposes, today's key, the next end and what is overdue; the platform's keys among them."""
    tenant_id = await site.tenant()
    old, today = await _key_of(site, tenant_id, 40), await _key_of(site, tenant_id, 0)
    document = printed(await key_status(None))
    assert document["root_version"] == 1
    assert {each["tenant"] for each in document["tenants"]} == {str(tenant_id), str(PLATFORM_TENANT)}
    mine = printed(await key_status(str(tenant_id)))["tenants"][0]
    assert mine["keys"]["payload"] == {"live": 2, "destroyed": 0, "held": 0, "overdue": 1, "newest": today.epoch}
    assert set(mine["keys"]) == {"payload", "row", "index", "suppression"}
    assert [(each["version"], each["root_version"], each["destroyed"]) for each in mine["versions"]] == [(1, 1, False)]
    assert mine["has_todays_key"]
    assert old.destroy_at is not None
    assert mine["next_end"] == old.destroy_at.isoformat()
    assert document["overdue"] == 1
    with pytest.raises(TenantNotFound):
        await key_status("ffffffff")


async def test_status_shows_what_is_held(site: Site) -> None:
    """Which key of which day, since when; nothing of the key itself."""
    tenant_id = await site.tenant()
    key = await _key_of(site, tenant_id, 40)
    await site.parts.ring.store.hold_data_key(key.kid, datetime.now(UTC))
    report = await key_status(None)
    [held] = printed(report)["held"]
    assert (held["key"], held["tenant"]) == (key.kid.hex(), str(tenant_id))
    assert held["day"] == (datetime(1970, 1, 1, tzinfo=UTC) + key.epoch * DAY).date().isoformat()
    assert report.picture() is not None


async def test_status_without_the_root_key(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Counting opens nothing: with the root key away the rest is shown, and that it is away is said."""
    await site.tenant()
    assert site.settings.root_key_file is not None
    site.settings.root_key_file.rename(site.settings.root_key_file.with_suffix(".away"))
    document = printed(await key_status(None))
    assert document["root_version"] is None
    assert len(document["tenants"]) == 2
    assert "root key" in capsys.readouterr().err


async def test_sound_keys_are_verified(site: Site) -> None:
    """Every key of every tenant opens, and a contact and a connection."""
    tenant_id = await _synced(site)
    report = await verify_keys(str(tenant_id))
    document = printed(report)
    assert report.exit_code == 0
    assert document["faults"] == []
    assert document["rows"] == 2
    assert document["keys"] >= 1 + 3 + 1
    assert printed(await verify_keys(None))["tenants"] == 2


async def test_altered_keys_are_found(site: Site, postgres_server: PostgresServer, database_urls: DatabaseUrls) -> None:
    """Exit code 7, with the ids of the keys that were altered, and of the rows that they no longer open."""
    tenant_id = await _synced(site)
    [row_key] = await site.parts.ring.store.data_keys(tenant_id, [KeyPurpose.ROW])
    owner = await Database.connect(postgres_server.url(database_urls.app.rpartition("/")[2]))
    async with owner.transaction() as connection:
        altered = "wrapped = overlay(wrapped PLACING '\\x00' FROM octet_length(wrapped))"
        await connection.execute(f"UPDATE keys.data_key SET {altered} WHERE kid = $1", row_key.kid)  # noqa: S608
    await owner.close()
    report = await verify_keys(None)
    document = printed(report)
    assert report.exit_code == 7
    assert [(each["purpose"], each["code"]) for each in document["faults"]] == [
        ("row", "KeyAltered"),
        ("contact row", "KeyAltered"),
        ("connection row", "KeyAltered"),
    ]
    assert {each["key"] for each in document["faults"]} == {row_key.kid.hex()}
    assert report.picture() is not None


async def test_the_watch_counts_what_is_held_up(
    site: Site, monkeypatch: pytest.MonkeyPatch, database_urls: DatabaseUrls
) -> None:
    """Held and overdue keys are in every look; a watch that may not see the key store says so and goes on."""
    tenant_id = await site.tenant()
    held, _ = await _key_of(site, tenant_id, 41), await _key_of(site, tenant_id, 40)
    await site.parts.ring.store.hold_data_key(held.kid, datetime.now(UTC))
    assert printed(await look_once())["keys"] == {"held": 1, "overdue": 1}
    monkeypatch.setenv(f"{PREFIX}KEYS_DATABASE_URL", f"{database_urls.app}_that_is_not_there")
    document = printed(await look_once())
    assert (document["keys"], document["connections"]) == (None, 0)


async def test_nothing_is_verified_without_the_root_key(site: Site) -> None:
    """That the root is away is no fault of a key, and is not told as one."""
    await site.tenant()
    assert site.settings.root_key_file is not None
    site.settings.root_key_file.rename(site.settings.root_key_file.with_suffix(".away"))
    with pytest.raises(RootKeyUnavailable):
        await verify_keys(None)


async def test_expired_keys_end_when_somebody_agrees(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan is shown first; unless somebody agrees nothing happens; a second time there is nothing to do."""
    tenant_id = await site.tenant()
    key = await _key_of(site, tenant_id, 40)
    with pytest.raises(typer.BadParameter):
        await end_keys(yes=False)
    assert "destroys 1 payload keys of 1 tenants" in capsys.readouterr().err
    stored = await site.parts.ring.store.data_key(key.kid)
    assert stored is not None
    assert stored.wrapped is not None
    assert printed(await end_keys(yes=True)) == {"destroyed": 1, "held": 0}
    assert printed(await end_keys(yes=False)) == {"destroyed": 0, "held": 0}
    assert printed(await key_status(str(tenant_id)))["tenants"][0]["keys"]["payload"]["destroyed"] == 1
