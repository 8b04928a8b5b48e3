"""The codec server's protocol, without a network."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from temporalio.api.common.v1 import Payload
from tests.unit.codecs.server.asking import AUTHORIZED, MASKED, OTHER, PLAIN, TENANT, UI, sealed, shown
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.audit.log import AuditKind
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.sealed import ENCODING, read_sealed
from contactsync.codecs.server import guard
from contactsync.codecs.server.access import Access, LoopbackAccess, TokenAccess
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.limits import to_json, to_payload
from contactsync.errors import RootKeyUnavailable, SettingsError
from contactsync.identifiers import PLATFORM_TENANT


@pytest.mark.parametrize("path", ["/decode", "/api/v1/decode", "/decode?preserveStorageRefs=true"])
async def test_sealed_payloads_are_shown_masked(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail, path: str
) -> None:
    """Any prefix, several tenants, any order; every tenant's log says what was opened and by whom."""
    items = [await sealed(ring), await sealed(ring, OTHER), await sealed(ring)]
    assert shown(await client.post(path, json={"payloads": items})) == [MASKED] * 3
    assert trail.kinds() == [(TENANT, AuditKind.PAYLOADS_OPENED), (OTHER, AuditKind.PAYLOADS_OPENED)]
    _, _, actor, detail = trail.entries[0]
    kid = read_sealed(to_payload(items[0])).kid.hex()
    assert (actor, detail["payloads"], detail["keys"], detail["shown"]) == ("loopback", 2, kid, "masked")


async def test_p23_the_log_holds_no_digest_of_plaintext(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail
) -> None:
    """Digests are of ciphertext: equal payloads, sealed twice, leave different ones."""
    for item in (await sealed(ring), await sealed(ring)):
        assert shown(await client.post("/decode", json={"payloads": [item]})) == [MASKED]
    first, second = (detail["digest"] for _, _, _, detail in trail.entries)
    assert first != second


async def test_plain_payloads_pass_unchanged(client: httpx.AsyncClient, trail: MemoryTrail) -> None:
    """Search attributes and Core's markers come back as the very JSON that was sent; nobody's log counts them, once."""
    items = [
        {"metadata": {"encoding": "anNvbi9wbGFpbg==", "type": "S2V5d29yZA=="}, "data": "IngiCg=="},
        {
            "metadata": {"encoding": "anNvbi9wbGFpbg=="},
            "data": "e30=",
            "externalPayloads": [{"sizeBytes": "5"}],
            "x": 1,
        },
        {},
    ]
    answer = await client.post("/decode", json={"payloads": items})
    assert answer.json() == {"payloads": items}
    refused = AuditKind.ACCESS_REFUSED
    assert trail.entries == [(PLATFORM_TENANT, refused, "loopback", {"payloads": 3, "not_sealed": 3})]


async def test_plain_payloads_beside_sealed_ones_are_counted_with_them(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail
) -> None:
    """Temporal Web sends them along all the time: they make no entry of their own, and only one entry counts them."""
    foreign = to_json(to_payload(await sealed(ring, namespace="staging")))
    items = [to_json(PLAIN), foreign, await sealed(ring), to_json(PLAIN), await sealed(ring, OTHER)]
    answer = await client.post("/decode", json={"payloads": items})
    assert [got == item for got, item in zip(answer.json()["payloads"], items, strict=True)] == [
        *(True, True, False, True, False)
    ]
    opened, refused = AuditKind.PAYLOADS_OPENED, AuditKind.ACCESS_REFUSED
    assert trail.kinds() == [(TENANT, opened), (OTHER, opened), (TENANT, refused)]
    assert [(detail["payloads"], detail.get("not_sealed")) for _, _, _, detail in trail.entries] == [
        *((1, 2), (1, None), (1, None))
    ]


async def test_p23_of_plaintext_the_log_holds_no_digest(client: httpx.AsyncClient, trail: MemoryTrail) -> None:
    """What only looks sealed may be somebody's plaintext: it is counted, and that is all."""
    pretender = Payload(metadata={"cs-kid": b"0" * 32, "encoding": b"json/plain"}, data=b'"Anna Schmidt"')
    await client.post("/decode", json={"payloads": [to_json(pretender)]})
    assert [detail for _, _, _, detail in trail.entries] == [{"payloads": 1, "not_sealed": 1}]


async def test_what_is_not_sealed_is_shown_only_once_it_is_written_down(
    client: httpx.AsyncClient, trail: MemoryTrail
) -> None:
    """The same order for what passes as for what is opened: first the log, then the answer."""
    trail.broken = True
    assert (await client.post("/decode", json={"payloads": [to_json(PLAIN)]})).status_code == 503


async def test_no_payloads_are_no_problem(client: httpx.AsyncClient) -> None:
    """An empty request has an empty answer."""
    for body in ("{}", '{"payloads":[]}'):
        answer = await client.post("/decode", content=body, headers={"content-type": "application/json"})
        assert answer.json() == {"payloads": []}


async def test_whatever_cannot_be_opened_is_answered_alike(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail
) -> None:
    """Unknown or destroyed key, bad tag, cut off, other namespace, odd metadata, none at all: 200, the payload as sent;
    the reason is in the log, the tenant's own once it is known whose it is."""
    good = to_payload(await sealed(ring))
    gone = to_payload(await sealed(ring, OTHER))
    await ring.destroy_tenant(OTHER)
    staged = to_payload(await sealed(ring, namespace="staging"))
    withheld = [
        (PLATFORM_TENANT, "destroyed_key", gone),
        (PLATFORM_TENANT, "unknown_key", Payload(metadata={**good.metadata, "cs-kid": b"0" * 32}, data=good.data)),
        (PLATFORM_TENANT, "malformed", Payload(metadata={**good.metadata, "cs-x": b"1"}, data=good.data)),
        (PLATFORM_TENANT, "malformed", Payload(metadata={"encoding": ENCODING}, data=good.data)),
        (PLATFORM_TENANT, "not_sealed", Payload(metadata={**good.metadata, "encoding": b"json/plain"}, data=b"{}")),
        (TENANT, "altered", Payload(metadata=good.metadata, data=good.data[:-1] + bytes([good.data[-1] ^ 1]))),
        (TENANT, "altered", Payload(metadata=good.metadata, data=good.data[:-1])),
        (TENANT, "altered", Payload(metadata=good.metadata, data=b"")),
        (TENANT, "altered", Payload(metadata={**staged.metadata, "cs-ns": b"default"}, data=staged.data)),
        (TENANT, "wrong_namespace", staged),
    ]
    for tenant, reason, payload in withheld:
        trail.entries.clear()
        item = to_json(payload)
        answer = await client.post("/decode", json={"payloads": [item]})
        assert (answer.status_code, answer.json()) == (200, {"payloads": [item]})
        assert trail.kinds() == [(tenant, AuditKind.ACCESS_REFUSED)]
        _, _, actor, detail = trail.entries[0]
        assert (actor, detail["payloads"], detail[reason]) == ("loopback", 1, 1)


@pytest.mark.parametrize("headers", [{"x-namespace": "staging"}, {"x-namespace": ""}])
async def test_the_namespace_asked_for_must_be_the_payloads(
    client: httpx.AsyncClient, ring: KeyRing, headers: dict[str, str]
) -> None:
    """A UI of one namespace does not open another's payloads."""
    item = await sealed(ring)
    assert (await client.post("/decode", json={"payloads": [item]}, headers=headers)).json() == {"payloads": [item]}


async def test_nothing_is_shown_that_is_not_written_down(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail
) -> None:
    """If the entry cannot be committed, the answer is 503 and empty."""
    trail.broken = True
    answer = await client.post("/decode", json={"payloads": [await sealed(ring)]})
    assert answer.status_code == 503
    assert "A…" not in answer.text


async def test_keys_that_cannot_be_reached_are_503(
    client: httpx.AsyncClient, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal Web asks again on 5xx, and shows ciphertext meanwhile."""

    async def unavailable(kid: bytes) -> None:
        raise RootKeyUnavailable(kid.hex())

    item = await sealed(ring)
    monkeypatch.setattr(ring, "open_payload_key", unavailable)
    assert (await client.post("/decode", json={"payloads": [item]})).status_code == 503


async def test_a_bug_is_500_without_its_text(
    client: httpx.AsyncClient, ring: KeyRing, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error's text is neither answered nor logged; the answer still carries its CORS headers."""

    async def broken(kid: bytes) -> None:
        raise RuntimeError(f"planted {kid.hex()}")

    item = await sealed(ring)
    monkeypatch.setattr(ring, "open_payload_key", broken)
    answer = await client.post("/decode", json={"payloads": [item]}, headers={"origin": UI})
    assert (answer.status_code, answer.text) == (500, "the codec server failed")
    assert answer.headers["access-control-allow-origin"] == UI
    assert "planted" not in "".join(capfd.readouterr())


async def test_a_request_that_takes_too_long_is_503(
    client: httpx.AsyncClient, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request has thirty seconds, its body included."""

    async def for_ever(_: bytes) -> None:
        await asyncio.Event().wait()

    item = await sealed(ring)
    monkeypatch.setattr(guard, "REQUEST_SECONDS", 0.05)
    monkeypatch.setattr(ring, "open_payload_key", for_ever)
    assert (await client.post("/decode", json={"payloads": [item]})).status_code == 503


async def test_encode_is_off_unless_wanted(client: httpx.AsyncClient) -> None:
    """By default there is no such endpoint."""
    assert (await client.post("/encode", json={"payloads": []})).status_code == 404


def test_encode_needs_a_token(ring: KeyRing, trail: MemoryTrail) -> None:
    """Without one, anybody on the machine could seal commands for any tenant."""
    with pytest.raises(SettingsError):
        codec_app(ring, trail, LoopbackAccess(), encode=True)


async def test_encode_seals_for_the_tenant_named(secured: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail) -> None:
    """What is sealed opens again, and the tenant's log says so."""
    headers = {**AUTHORIZED, "x-contactsync-tenant": str(TENANT)}
    answer = await secured.post("/encode", json={"payloads": [to_json(PLAIN)]}, headers=headers)
    [item] = answer.json()["payloads"]
    sealed_payload = to_payload(item)
    assert (await ring.open_payload_key(read_sealed(sealed_payload).kid)).tenant_id == TENANT
    assert shown(await secured.post("/decode", json={"payloads": [item]}, headers=AUTHORIZED)) == [MASKED]
    assert trail.kinds()[0] == (TENANT, AuditKind.PAYLOADS_SEALED)


@pytest.mark.parametrize("tenant", [None, "", "x", str(uuid4())])
async def test_p26_encode_without_a_tenant_is_an_error(secured: httpx.AsyncClient, tenant: str | None) -> None:
    """Missing, malformed or unknown: 400, never the payload in clear, which would be sent on to Temporal."""
    headers = AUTHORIZED | ({} if tenant is None else {"x-contactsync-tenant": tenant})
    answer = await secured.post("/encode", json={"payloads": [to_json(PLAIN)]}, headers=headers)
    assert answer.status_code == 400
    assert "payloads" not in answer.text


async def test_encode_seals_nothing_twice(secured: httpx.AsyncClient, ring: KeyRing) -> None:
    """A sealed payload is refused."""
    headers = {**AUTHORIZED, "x-contactsync-tenant": str(TENANT)}
    answer = await secured.post("/encode", json={"payloads": [await sealed(ring)]}, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("origin", ["*", "http://*", "localhost:8233", "http://a/", "ftp://a", "http://", "null", ""])
@pytest.mark.parametrize("access", [LoopbackAccess(), TokenAccess("a-token")], ids=["loopback", "token"])
def test_an_origin_that_is_none_is_a_settings_error(
    ring: KeyRing, trail: MemoryTrail, origin: str, access: Access
) -> None:
    """Wildcards and paths are refused at the start."""
    with pytest.raises(SettingsError):
        codec_app(ring, trail, access, origins=[origin])
