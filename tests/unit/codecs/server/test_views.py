"""Who sees what of whose payloads, and what is written down about it."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from temporalio.api.common.v1 import Payload
from tests.unit.codecs.server.asking import MASKED, OTHER, PLAIN, TENANT, asking, sealed, shown
from tests.unit.codecs.server.people import People, as_
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.audit.log import AuditKind
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.framing import ENCODING as FRAMED
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.limits import to_json
from contactsync.codecs.server.rates import Rate
from contactsync.codecs.server.reasons import ReasonCode
from contactsync.identifiers import PLATFORM_TENANT

WHOLE = {"name": "Anna Schmidt", "rows": 3}
WHY = {"x-contactsync-reason": "incident:OPS-123"}


@pytest.fixture
async def client(ring: KeyRing, trail: MemoryTrail) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that knows `PEOPLE`."""
    async with asking(codec_app(ring, trail, People(), encode=True)) as asked:
        yield asked


async def decoded(
    client: httpx.AsyncClient, ring: KeyRing, headers: dict[str, str], path: str = "/decode"
) -> list[object]:
    """What is shown of a payload of each tenant; None: it stayed as it was."""
    items = [await sealed(ring), await sealed(ring, OTHER)]
    answer = await client.post(path, json={"payloads": items}, headers=headers)
    assert answer.status_code == 200, answer.text
    got = answer.json()["payloads"]
    return [None if one == item else shown_of(one) for one, item in zip(got, items, strict=True)]


def shown_of(item: object) -> object:
    """The data of a payload in an answer."""
    [data] = shown(httpx.Response(200, json={"payloads": [item]}))
    return data


@pytest.mark.parametrize(
    ("who", "without", "with_reason"),
    [
        ("operator", [MASKED, MASKED], [MASKED, MASKED]),
        ("reader", [MASKED, None], [WHOLE, None]),
        ("operator-and-reader", [MASKED, MASKED], [WHOLE, MASKED]),
        ("privacy", [MASKED, MASKED], [WHOLE, WHOLE]),
        ("encoder", [None, None], [None, None]),
        ("weak", [None, None], [None, None]),
        ("nobody", [None, None], [None, None]),
    ],
)
async def test_who_sees_what(
    client: httpx.AsyncClient, ring: KeyRing, who: str, without: list[object], with_reason: list[object]
) -> None:
    """Whole only for whoever may, and only with a reason; never a tenant that is not theirs."""
    assert await decoded(client, ring, as_(who)) == without
    assert await decoded(client, ring, as_(who, **WHY)) == with_reason


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/decode", {"x-contactsync-reason": "incident:OPS-123"}),
        ("/decode?reason=incident:OPS-123", {}),
        ("/decode?preserveStorageRefs=true&reason=incident%3AOPS-123", {}),
        ("/reason/incident/OPS-123/decode?preserveStorageRefs=true", {}),
        ("/codec/reason/incident/OPS-123/decode", {}),
    ],
)
async def test_a_reason_is_written_down(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail, path: str, headers: dict[str, str]
) -> None:
    """As header, query or path: the code, the ticket, and that it was shown whole, before it is."""
    assert await decoded(client, ring, as_("privacy", **headers), path) == [WHOLE, WHOLE]
    assert trail.kinds() == [(TENANT, AuditKind.PAYLOADS_OPENED), (OTHER, AuditKind.PAYLOADS_OPENED)]
    for _, _, actor, detail in trail.entries:
        assert actor == "oidc/privacy"
        assert (detail["shown"], detail["reason"], detail["ticket"]) == ("whole", "incident", "OPS-123")


@pytest.mark.parametrize("path", ["/decode?reason=support", "/reason/support/decode"])
async def test_a_reason_needs_no_ticket(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail, path: str
) -> None:
    """The code alone is enough, and the entry says no more than there is."""
    assert await decoded(client, ring, as_("reader"), path) == [WHOLE, None]
    detail = trail.entries[0][3]
    assert (detail["shown"], detail["reason"]) == ("whole", "support")
    assert "ticket" not in detail


@pytest.mark.parametrize("code", ReasonCode)
async def test_each_reason_of_the_list(client: httpx.AsyncClient, ring: KeyRing, code: ReasonCode) -> None:
    """Every code of the list opens."""
    assert await decoded(client, ring, as_("privacy", **{"x-contactsync-reason": code})) == [WHOLE, WHOLE]


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "because",
        "Incident",
        "incident:",
        "incident:ops-1",
        "incident:OPS1",
        "incident:OPS-",
        "incident:OPS-1234567890",
        "incident:O-1",
        "incident OPS-1",
        "incident:OPS-1 Anna",
        "Anna Schmidt asked",
    ],
)
async def test_free_text_is_no_reason(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail, reason: str
) -> None:
    """It would be a person's text in the log: 400 says what a reason is, and nothing is opened."""
    items = {"payloads": [await sealed(ring)]}
    for where in ("header", "query"):
        given = {"x-contactsync-reason": reason} if where == "header" else {}
        query = {"reason": reason} if where == "query" else None
        answer = await client.post("/decode", json=items, headers=as_("privacy", **given), params=query)
        assert answer.status_code == 400
        assert "incident" in answer.text
        assert "Anna" not in answer.text
    assert trail.entries == []


async def test_two_reasons_are_none(client: httpx.AsyncClient, ring: KeyRing) -> None:
    """One of them would be missing from the log; the same one twice is one."""
    twice = await decoded(client, ring, as_("privacy", **WHY), "/reason/incident/OPS-123/decode")
    assert twice == [WHOLE, WHOLE]
    answer = await client.post(
        "/reason/test/decode", json={"payloads": [await sealed(ring)]}, headers=as_("privacy", **WHY)
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(("who", "why"), [("nobody", "foreign_tenant"), ("weak", "weak_sign_in")])
async def test_a_foreign_tenants_payload_is_in_its_log(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail, who: str, why: str
) -> None:
    """Answered like all that cannot be opened; the tenant's own log says who tried, and why not."""
    assert await decoded(client, ring, as_(who, **WHY)) == [None, None]
    assert trail.kinds() == [(TENANT, AuditKind.ACCESS_REFUSED), (OTHER, AuditKind.ACCESS_REFUSED)]
    for _, _, actor, detail in trail.entries:
        assert actor == f"oidc/{who}"
        assert (detail["payloads"], detail[why], detail["reason"]) == (1, 1, "incident")


async def test_a_page_is_shown_whole(client: httpx.AsyncClient, ring: KeyRing) -> None:
    """Its head and all of its records, as JSON that Temporal Web can show."""
    head = b'{"page":2}'
    body = json.dumps([{"name": "Anna Schmidt"}] * 30).encode()
    frame = Payload(metadata={"encoding": FRAMED.encode()}, data=len(head).to_bytes(4) + head + body)
    item = await sealed(ring, payload=frame)
    answer = await client.post("/decode", json={"payloads": [item]}, headers=as_("privacy", **WHY))
    [page] = shown(answer)
    assert page == {"head": {"page": 2}, "body": {"bytes": len(body), "records": [{"name": "Anna Schmidt"}] * 30}}


async def test_what_stays_whole_when_masked_is_a_setting(ring: KeyRing, trail: MemoryTrail) -> None:
    """Words under the keys of the list, if they look like codes; no key is on it by itself."""
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b'{"stage":"done","name":"Anna S","kind":"card"}')
    async with asking(codec_app(ring, trail, People(), codes=frozenset({"stage", "name"}))) as client:
        item = await sealed(ring, payload=payload)
        answer = await client.post("/decode", json={"payloads": [item]}, headers=as_("operator"))
    assert shown(answer) == [{"stage": "done", "name": "A… S…", "kind": "c…"}]


async def test_who_may_seal(client: httpx.AsyncClient, trail: MemoryTrail) -> None:
    """Only an encoder of the tenant named; whoever else tries gets what a tenant that is not there gets."""
    items = {"payloads": [to_json(PLAIN)]}
    answer = await client.post("/encode", json=items, headers=as_("encoder", **{"x-contactsync-tenant": str(OTHER)}))
    assert answer.status_code == 200
    assert trail.kinds() == [(OTHER, AuditKind.PAYLOADS_SEALED)]
    unknown = await client.post("/encode", json=items, headers=as_("encoder", **{"x-contactsync-tenant": "x"}))
    for who, tenant in [("encoder", TENANT), ("privacy", OTHER), ("operator", OTHER), ("reader", TENANT)]:
        trail.entries.clear()
        answer = await client.post("/encode", json=items, headers=as_(who, **{"x-contactsync-tenant": str(tenant)}))
        assert (answer.status_code, answer.text) == (400, unknown.text)
        assert trail.kinds() == [(PLATFORM_TENANT, AuditKind.ACCESS_REFUSED)]
        detail = trail.entries[0][3]
        assert (detail["tenant"], detail["foreign_tenant"]) == (str(tenant), 1)


async def test_whoever_goes_too_fast_at_once_is_refused(ring: KeyRing, trail: MemoryTrail) -> None:
    """429 with the time to wait; others go on, and so does whoever waits."""
    item = await sealed(ring)
    async with asking(codec_app(ring, trail, People(), rate=Rate(1, 1))) as client:
        many = {"payloads": [item] * 100}
        assert (await client.post("/decode", json=many, headers=as_("operator"))).status_code == 200
        refused = await client.post("/decode", json={"payloads": [item]}, headers=as_("operator"))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert (await client.post("/decode", json=many, headers=as_("privacy"))).status_code == 200


async def test_whoever_goes_a_little_too_fast_waits(ring: KeyRing, trail: MemoryTrail) -> None:
    """The second request is answered, later."""
    async with asking(codec_app(ring, trail, People(), rate=Rate(20, 1))) as client:
        items = {"payloads": [await sealed(ring)] * 4}
        for _ in range(3):
            assert shown(await client.post("/decode", json=items, headers=as_("operator"))) == [MASKED] * 4
