"""The sealing codec: what it seals, and what it refuses."""

import traceback
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    NexusSerializationContext,
    SerializationContext,
    WorkflowSerializationContext,
)
from tests.rings import ring_of

from contactsync.codecs.envelope.cs1 import Binding, seal
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.codec import SealingCodec
from contactsync.codecs.payloads.sealed import seal_payload
from contactsync.errors import KeyDestroyed, KeyUnknown, OpenRefused, SealError, SealRefused, TenantNotFound

TENANT, OTHER = uuid4(), uuid4()
WORKFLOW = f"sync/{TENANT}/{uuid4()}"
SECRET = b"planted.person@example.org"
PLAIN = Payload(metadata={"encoding": b"json/plain", "messageType": b"x"}, data=b'"' + SECRET + b'"')


def workflow(workflow_id: str = WORKFLOW, namespace: str = "default") -> WorkflowSerializationContext:
    """A workflow's context."""
    return WorkflowSerializationContext(namespace, workflow_id)


def activity(workflow_id: str | None = WORKFLOW) -> ActivitySerializationContext:
    """An activity's context."""
    return ActivitySerializationContext("default", "1", "t", "q", workflow_id, "w", is_local=False)


@pytest.fixture
async def ring(tmp_path: Path) -> KeyRing:
    """Keys of two tenants."""
    return await ring_of(tmp_path, TENANT, OTHER)


async def sealed(ring: KeyRing, context: SerializationContext | None = None) -> Payload:
    """`PLAIN`, sealed."""
    return (await SealingCodec(ring).with_context(context or workflow()).encode([PLAIN]))[0]


async def opened(ring: KeyRing, payload: Payload, context: SerializationContext | None = None) -> Payload:
    """A payload, opened in a workflow."""
    return (await SealingCodec(ring).with_context(context or workflow()).decode([payload]))[0]


async def test_what_leaves_is_sealed_and_comes_back_whole(ring: KeyRing) -> None:
    """Only encoding, key id and namespace are clear; opening gives the payload with its metadata."""
    before = Payload()
    before.CopyFrom(PLAIN)
    payload = await sealed(ring)
    assert before == PLAIN
    assert dict(payload.metadata) == {
        "encoding": b"binary/x-contactsync-cs1",
        "cs-kid": (await ring.payload_key(TENANT)).kid.hex().encode(),
        "cs-ns": b"default",
    }
    assert SECRET not in payload.SerializeToString()
    assert TENANT.bytes not in payload.SerializeToString()
    assert await opened(ring, payload) == PLAIN


async def test_activities_and_their_workflow_read_each_other(ring: KeyRing) -> None:
    """An activity's context and its workflow's are one place."""
    assert await opened(ring, await sealed(ring, workflow()), activity()) == PLAIN
    assert await opened(ring, await sealed(ring, activity()), workflow()) == PLAIN


async def test_without_a_context_the_key_id_decides(ring: KeyRing) -> None:
    """A description or a schedule has no context: the payload still opens."""
    assert await SealingCodec(ring).decode([await sealed(ring)]) == [PLAIN]


@pytest.mark.parametrize(
    "context",
    [
        workflow("no-tenant"),
        workflow(f"unknown/{TENANT}/x"),
        workflow(""),
        activity(None),
        NexusSerializationContext("endpoint", "service", "operation"),
    ],
)
async def test_p26_without_a_tenant_nothing_is_encoded(ring: KeyRing, context: SerializationContext) -> None:
    """There is no fallback to a common key or to plaintext."""
    with pytest.raises(SealRefused):
        await sealed(ring, context)


async def test_p26_without_a_context_nothing_is_encoded(ring: KeyRing) -> None:
    """A client header, which has no context, cannot leave."""
    with pytest.raises(SealRefused):
        await SealingCodec(ring).encode([PLAIN])


async def test_p26_without_keys_nothing_is_encoded(ring: KeyRing) -> None:
    """A tenant that has no keys, or whose keys were destroyed, gets no payload."""
    with pytest.raises(TenantNotFound):
        await sealed(ring, workflow(f"sync/{uuid4()}/x"))
    await ring.destroy_tenant(TENANT)
    with pytest.raises((KeyDestroyed, TenantNotFound)):
        await sealed(ring)


@pytest.mark.parametrize("encoding", [b"json/plain", b"binary/null", b"binary/plain", b"", b"binary/encrypted"])
async def test_p25_plaintext_is_refused(ring: KeyRing, encoding: bytes) -> None:
    """What the server or a stranger injects is not taken, with a context or without."""
    injected = Payload(metadata={"encoding": encoding}, data=b'"injected"')
    with pytest.raises(OpenRefused):
        await opened(ring, injected)
    with pytest.raises(OpenRefused):
        await SealingCodec(ring).decode([injected])


async def test_p25_a_foreign_tenants_payload_is_refused(ring: KeyRing) -> None:
    """A payload of another tenant is not opened in this one's workflow, though its key is known."""
    for_any_workflow = seal_payload(await ring.payload_key(OTHER), "default", "", PLAIN)
    for foreign in (await sealed(ring, workflow(f"sync/{OTHER}/x")), for_any_workflow):
        with pytest.raises(OpenRefused):
            await opened(ring, foreign)
    with pytest.raises(OpenRefused):
        await opened(ring, await sealed(ring), workflow("no-tenant"))


async def test_p25_a_payload_of_another_workflow_is_refused(ring: KeyRing) -> None:
    """The server cannot move a payload from one of the tenant's workflows to another."""
    with pytest.raises(OpenRefused):
        await opened(ring, await sealed(ring), workflow(f"sync/{TENANT}/{uuid4()}"))


@pytest.mark.parametrize(
    ("run", "reads"),
    [
        ("-2026-11-21T11:22:09Z", True),
        ("-2026-11-21T11:22:09", False),
        ("-x", False),
        ("2026-11-21T11:22:09Z", False),
        ("/x-2026-11-21T11:22:09Z", False),
    ],
)
async def test_a_scheduled_run_reads_what_its_schedule_was_given(ring: KeyRing, run: str, *, reads: bool) -> None:
    """A schedule's arguments are sealed for the id's prefix; only its runs are called `prefix-timestamp`."""
    payload = await sealed(ring)
    if reads:
        assert await opened(ring, payload, workflow(WORKFLOW + run)) == PLAIN
    else:
        with pytest.raises(OpenRefused):
            await opened(ring, payload, workflow(WORKFLOW + run))


async def test_p25_another_namespaces_payload_is_refused(ring: KeyRing) -> None:
    """Neither as it is, nor with its namespace rewritten."""
    payload = await sealed(ring, workflow(namespace="staging"))
    with pytest.raises(OpenRefused):
        await opened(ring, payload)
    payload.metadata["cs-ns"] = b"default"
    with pytest.raises(OpenRefused):
        await opened(ring, payload)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cs-tenant", b"x"),
        ("cs-workflow", b"x"),
        ("cs-kid", b"00"),
        ("cs-kid", b"A" * 32),
        ("cs-kid", b"0" * 31 + b"\n"),
        ("cs-kid", b"0" * 32 + b"\n"),
        ("cs-kid", b"0" * 34),
        ("cs-kid", None),
        ("cs-ns", b"\xff"),
        ("cs-ns", None),
        ("encoding", b"binary/x-contactsync-cs2"),
    ],
)
async def test_p25_any_other_form_is_refused(ring: KeyRing, name: str, value: bytes | None) -> None:
    """Unknown `cs-` metadata, missing ones and odd key ids are refused before any key is looked up."""
    payload = await sealed(ring)
    payload.metadata.pop(name, None)
    if value is not None:
        payload.metadata[name] = value
    with pytest.raises(OpenRefused):
        await opened(ring, payload)


async def test_foreign_metadata_does_no_harm(ring: KeyRing) -> None:
    """A mark that Temporal sets beside ours does not keep a payload from being opened."""
    payload = await sealed(ring)
    payload.metadata["storage-mark"] = b"true"
    assert await opened(ring, payload) == PLAIN


async def test_an_altered_payload_is_refused(ring: KeyRing) -> None:
    """A flipped bit anywhere in the data, or a cut, opens nothing."""
    payload = await sealed(ring)
    for data in (
        payload.data[:-1],
        payload.data[:-1] + bytes([payload.data[-1] ^ 1]),
        b"",
        b"CS1\x02" + payload.data[4:],
    ):
        with pytest.raises(OpenRefused):
            await opened(ring, Payload(metadata=payload.metadata, data=data))


async def test_unknown_and_destroyed_keys_are_told_apart_on_workers(ring: KeyRing) -> None:
    """A worker's operator learns whether a key is gone or was never there."""
    payload = await sealed(ring)
    payload.metadata["cs-kid"] = b"0" * 32
    with pytest.raises(KeyUnknown):
        await opened(ring, payload)
    payload = await sealed(ring)
    await ring.destroy_tenant(TENANT)
    with pytest.raises(KeyDestroyed):
        await opened(ring, payload)


async def test_nothing_is_sealed_twice_nor_opened_twice(ring: KeyRing) -> None:
    """A sealed payload is not sealed again, and one that holds a sealed one is not opened."""
    payload = await sealed(ring)
    with pytest.raises(SealRefused):
        await SealingCodec(ring).with_context(workflow()).encode([payload])
    key = await ring.payload_key(TENANT)
    data = seal(key, Binding("payload/v1", TENANT, ("default", "")), payload.SerializeToString())
    with pytest.raises(OpenRefused):
        await opened(ring, Payload(metadata=payload.metadata, data=data))


async def test_a_payload_that_is_no_payload_inside_is_refused(ring: KeyRing) -> None:
    """What opens and is no payload is refused like anything else."""
    key = await ring.payload_key(TENANT)
    data = seal(key, Binding("payload/v1", TENANT, ("default", "")), SECRET)
    with pytest.raises(OpenRefused) as caught:
        await opened(ring, Payload(metadata=(await sealed(ring)).metadata, data=data))
    assert SECRET.decode() not in "".join(traceback.format_exception(caught.value))


class BrokenRing(KeyRing):
    """A ring with a bug, whose error quotes what it was given."""

    async def payload_key(self, tenant_id: UUID) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fail with a text."""
        raise RuntimeError(f"{tenant_id} {SECRET.decode()}")

    async def open_payload_key(self, kid: bytes) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fail with a text."""
        raise RuntimeError(f"{kid.hex()} {SECRET.decode()}")


async def test_p24_any_error_inside_the_codec_becomes_a_constant_one(ring: KeyRing) -> None:
    """The SDK writes the codec's error text into history in clear: it is constant, and so is its chain."""
    broken = SealingCodec(BrokenRing.__new__(BrokenRing)).with_context(workflow())
    with pytest.raises(SealError) as encoding:
        await broken.encode([PLAIN])
    payload = await sealed(ring)
    with pytest.raises(OpenRefused) as decoding:
        await broken.decode([payload])
    for caught in (encoding, decoding):
        assert str(caught.value) == (type(caught.value).__doc__ or "").strip()
        assert SECRET.decode() not in "".join(traceback.format_exception(caught.value))
