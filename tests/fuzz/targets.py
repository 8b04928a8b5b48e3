"""What reads bytes that somebody else wrote: each target takes any bytes, and raises nothing but what it promises."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from uuid import UUID

from google.protobuf.message import DecodeError
from starlette.requests import Request
from starlette.types import Message
from temporalio.api.common.v1 import Payload
from tests.unit.codecs.envelope.messages import sealed_message

from contactsync.activities.contacts.contact import DEFAULT_FIELDS
from contactsync.activities.contacts.quarantine import UnreadableContact
from contactsync.activities.contacts.vcard import parse_vcard
from contactsync.activities.pages import load_clean, load_raw
from contactsync.activities.sources.carddav_xml import error_conditions, parse_multistatus
from contactsync.codecs.envelope import compression, cs1
from contactsync.codecs.keys.key import DataKey, KeyPurpose, SecretBytes
from contactsync.codecs.payloads.framing import split_frame
from contactsync.codecs.payloads.sealed import ENCODING, KEY_ID, NAMESPACE, open_sealed, read_sealed
from contactsync.codecs.rows import TenantSealer
from contactsync.codecs.server.limits import Refused, read_payloads, to_json, to_payload
from contactsync.codecs.server.masking import mask_payload
from contactsync.errors import MessageUnreadable, OpenRefused, PageUnreadable, SourceMisbehaved

TENANT: Final = UUID("5b0f8f0e-6a53-4c0e-9d5f-0d6f4f0c7d11")
KEY: Final = DataKey(bytes(16), TENANT, KeyPurpose.PAYLOAD, 0, SecretBytes(bytes(32)))
BINDING: Final = cs1.Binding("payload/v1", TENANT, ("default", ""))
SEALER: Final = TenantSealer([KEY], [KEY])

Target = Callable[[bytes], None]


def envelope(data: bytes) -> None:
    """Bytes as an envelope."""
    with suppress(OpenRefused):
        cs1.open_(KEY, BINDING, data)


def inside_an_envelope(data: bytes) -> None:
    """Bytes as what is sealed inside one: algorithm, lengths, body, padding."""
    message = sealed_message(KEY.secret.expose(), cs1.context(KEY.kid, BINDING), data)
    with suppress(OpenRefused):
        assert len(cs1.open_(KEY, BINDING, cs1.HEADER + message)) <= cs1.MAX_RAW_BYTES


def compressed(data: bytes) -> None:
    """Bytes as a zstd frame that is said to hold 4 KiB."""
    with suppress(OpenRefused):
        assert len(compression.decompress(data, 4096)) == 4096


def payload(data: bytes) -> None:
    """Bytes as a protobuf payload that claims to be sealed."""
    with suppress(OpenRefused, DecodeError):
        open_sealed(KEY, read_sealed(Payload.FromString(data)))


def inside_a_payload(data: bytes) -> None:
    """Bytes as the payload that is sealed inside another."""
    metadata = {"encoding": ENCODING, KEY_ID: KEY.kid.hex().encode(), NAMESPACE: b"default"}
    with suppress(OpenRefused):
        opened = open_sealed(KEY, read_sealed(Payload(metadata=metadata, data=cs1.seal(KEY, BINDING, data))))
        mask_payload(opened.payload)


def json_body(data: bytes) -> None:
    """Bytes as the body of a request to the codec server."""
    with suppress(Refused):
        for item in asyncio.run(read_payloads(_request(data))):
            to_json(mask_payload(to_payload(item)))


def _request(body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "headers": [(b"content-type", b"application/json")]}, receive)


def row(data: bytes) -> None:
    """Bytes as a sealed row."""
    with suppress(OpenRefused):
        SEALER.open("contact", "row", KEY.kid + data)


def page(data: bytes) -> None:
    """Bytes as a framed page."""
    with suppress(MessageUnreadable, PageUnreadable):
        load_raw(split_frame(data)[1])
    with suppress(PageUnreadable):
        load_clean(data)


def vcard(data: bytes) -> None:
    """Bytes as a card."""
    with suppress(UnreadableContact):
        parse_vcard(data, DEFAULT_FIELDS)


def multistatus(data: bytes) -> None:
    """Bytes as a WebDAV server's answer."""
    with suppress(SourceMisbehaved):
        parse_multistatus(data)
    error_conditions(data)


TARGETS: Final[Mapping[str, Target]] = {
    target.__name__: target
    for target in (
        envelope,
        inside_an_envelope,
        compressed,
        payload,
        inside_a_payload,
        json_body,
        row,
        page,
        vcard,
        multistatus,
    )
}
