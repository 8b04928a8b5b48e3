"""Tenants and connections."""

from uuid import uuid4

import pytest
from tests.integration.store.address_book import Book, Store

from contactsync.activities.contacts.contact import Field
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.codecs.audit.chain import Soundness
from contactsync.codecs.audit.logs import check_log
from contactsync.errors import ConnectionNotFound, TenantNotFound

SETTINGS = {"url": "https://contacts.example/ada/", "username": "ada.planted", "depth": 2}


async def test_a_tenant_is_kept_with_its_policy_and_keys(store: Store) -> None:
    """A tenant comes back as it was added, and can seal at once."""
    policy = TenantPolicy(fields=frozenset({Field.NAME, Field.NOTES}), default_region="DE")
    tenant = await store.directory.add_tenant("Sample & Sons", policy)
    assert await store.directory.get_tenant(tenant.tenant_id) == tenant
    assert tenant.policy == policy
    assert (await store.ring.tenant_sealer(tenant.tenant_id)).tenant_id == tenant.tenant_id


async def test_tenants_are_listed_in_order(store: Store) -> None:
    """All tenants are listed, the oldest first."""
    added = [await store.directory.add_tenant(label) for label in ("one", "two", "three")]
    assert await store.directory.list_tenants() == tuple(added)


async def test_a_connections_settings_are_sealed(store: Store) -> None:
    """Settings come back as they were given, and stand nowhere in clear."""
    tenant = await store.directory.add_tenant("a tenant")
    new = NewConnection(kind="carddav", settings=SETTINGS, secret_ref="env:ADA", interval_seconds=60, page_rows=100)
    added = await store.directory.add_connection(tenant.tenant_id, new)
    found = await store.directory.get_connection(added.connection_id)
    assert found == added
    assert found.settings == SETTINGS
    assert "planted" not in repr(found)
    async with store.database.transaction(tenant.tenant_id) as connection:
        rows = await connection.fetch("SELECT c::text FROM contactsync.connection c")
    assert "planted" not in str(rows)
    assert b"planted".hex() not in str(rows)


async def test_connections_are_listed_without_keys(store: Store, book: Book) -> None:
    """Connections are listed for one tenant or all, without their settings."""
    other = await store.new_book()
    mine = await store.directory.list_connections(book.ref.tenant_id)
    assert [each.connection_id for each in mine] == [book.ref.connection_id]
    everyone = await store.directory.list_connections()
    assert [each.connection_id for each in everyone] == [book.ref.connection_id, other.ref.connection_id]
    assert not hasattr(everyone[0], "settings")
    assert await store.directory.find_connection(other.ref.connection_id) == everyone[1]


async def test_pausing_is_recorded_and_reaches_the_ticket(store: Store, book: Book) -> None:
    """A pause shows in the connection and on the next ticket, until it is lifted."""
    ref = book.ref
    await store.directory.set_paused(ref.tenant_id, ref.connection_id, "credentials")
    assert (await store.directory.get_connection(ref.connection_id)).paused == "credentials"
    assert (await book.open()).paused == "credentials"
    await store.directory.set_paused(ref.tenant_id, ref.connection_id, None)
    assert (await book.open()).paused is None


async def test_changes_are_in_the_audit_log_once(store: Store, book: Book) -> None:
    """Adding, pausing and resuming are each one entry; pausing again is none; the chain is sound."""
    ref = book.ref
    for paused in ("operator", "operator", None, None):
        await store.directory.set_paused(ref.tenant_id, ref.connection_id, paused)
    async with store.database.transaction(ref.tenant_id) as connection:
        kinds = await connection.fetch("SELECT entry::jsonb ->> 'kind' AS kind FROM audit.entry ORDER BY seq")
        verdict = await check_log(connection, ref.tenant_id, [])
    assert [row["kind"] for row in kinds] == [
        "tenant_added",
        "connection_added",
        "connection_paused",
        "connection_resumed",
    ]
    assert verdict.soundness is Soundness.SOUND


async def test_what_is_not_there_is_not_found(store: Store, book: Book) -> None:
    """Unknown tenants and connections are told apart from errors, by every way in."""
    directory, nobody = store.directory, uuid4()
    for asked in (
        directory.get_tenant(nobody),
        directory.list_connections(nobody),
        directory.add_connection(nobody, NewConnection(kind="memory", settings={})),
    ):
        with pytest.raises(TenantNotFound):
            await asked
    for asked in (
        directory.get_connection(nobody),
        directory.get_connection(nobody, book.ref.tenant_id),
        directory.find_connection(nobody),
        directory.set_paused(book.ref.tenant_id, nobody, "operator"),
    ):
        with pytest.raises(ConnectionNotFound):
            await asked
