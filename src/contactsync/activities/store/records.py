"""The one blob of a contact's row: what is sealed in it, and what is found in it again."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.codecs.rows import TenantSealer
from contactsync.errors import OpenRefused
from contactsync.postgres import Row

CONTACT: Final = "contact"
QUARANTINE: Final = "quarantine"
EMAIL: Final = "email"
PHONE: Final = "phone"


@dataclass(frozen=True, slots=True)
class HeldContact:
    """A contact as it is held, opened. `content` is its canonical JSON; it and `source_id` are personal."""

    contact_id: UUID
    connection_id: UUID
    created_at: datetime
    changed_at: datetime
    source_id: str = field(repr=False)
    content: bytes = field(repr=False)


def source_index(sealer: TenantSealer, connection_id: UUID, source_id: str, epoch: int | None = None) -> bytes:
    """The keyed index of a source id, which means something inside its connection only; of an older epoch if named."""
    return sealer.index("source_id", f"{connection_id}\0{source_id}", epoch)


def etag_mac(sealer: TenantSealer, source_id: str, etag: str | None) -> bytes | None:
    """The keyed digest of an etag. A raw one may be a plain hash of the card, and then can be searched for."""
    return None if etag is None else sealer.index("etag", f"{source_id}\0{etag}")


def content_mac(sealer: TenantSealer, index: bytes, content: bytes) -> bytes:
    """The keyed digest of a contact's content; with its index in it, so that equal contacts do not look equal."""
    return sealer.content_mac(index + content)


def seal_contact(sealer: TenantSealer, contact_id: UUID, source_id: str, content: bytes) -> bytes:
    """The blob: JSON of `source_id` and `contact`, bound to the row."""
    return sealer.seal(CONTACT, str(contact_id), _before(source_id) + content + b"}")


def open_contact(sealer: TenantSealer, row: Row) -> HeldContact:
    """The contact of a row.

    Raises:
        OpenRefused: it was altered, or is another row's.
    """
    source_id, content = contact_of_blob(sealer.open(CONTACT, str(row["contact_id"]), row["sealed"]))
    return HeldContact(
        contact_id=row["contact_id"],
        connection_id=row["connection_id"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        source_id=source_id,
        content=content,
    )


def contact_of_blob(blob: bytes) -> tuple[str, bytes]:
    """The source id and the canonical JSON inside an opened blob.

    Raises:
        OpenRefused: it is no such blob.
    """
    source_id = _source_id(blob)
    return source_id, blob[len(_before(source_id)) : -1]


def _before(source_id: str) -> bytes:
    return b'{"source_id":' + json.dumps(source_id).encode() + b',"contact":'


def _source_id(blob: bytes) -> str:
    try:
        record: dict[str, object] = json.loads(blob)
        return str(record["source_id"])
    except (ValueError, KeyError):
        raise OpenRefused from None
