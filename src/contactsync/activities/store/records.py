"""The one blob of a contact's row: what is sealed in it, and what is found in it again."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.codecs.rows import DIGEST_BYTES, TenantSealer
from contactsync.errors import OpenRefused
from contactsync.postgres import Row

CONTACT: Final = "contact"
QUARANTINE: Final = "quarantine"
EMAIL: Final = "email"
PHONE: Final = "phone"

NO_DIGEST: Final = bytes(DIGEST_BYTES)
"""What stands for none in a column of digests."""

_dump: Final = json.encoder.encode_basestring_ascii


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
    return source_indexes(sealer, connection_id, (source_id,), epoch)[0]


def source_indexes(
    sealer: TenantSealer, connection_id: UUID, source_ids: Iterable[str], epoch: int | None = None
) -> list[bytes]:
    """`source_index` of many, in their order."""
    scope = f"{connection_id}\0"
    return sealer.indexes("source_id", (scope + source_id for source_id in source_ids), epoch)


def etag_macs(sealer: TenantSealer, etags: Iterable[tuple[str, str]]) -> list[bytes]:
    """The keyed digests of etags, each beside its source id. A raw one may be a plain hash of the card, and then can
    be searched for."""
    return sealer.indexes("etag", (f"{source_id}\0{etag}" for source_id, etag in etags))


def packed(digests: Iterable[bytes | None]) -> bytes:
    """Digests as one value, in their order, as queries take them; for None there are zeros."""
    return b"".join([digest or NO_DIGEST for digest in digests])


def content_mac(sealer: TenantSealer, index: bytes, content: bytes) -> bytes:
    """The keyed digest of a contact's content; with its index in it, so that equal contacts do not look equal."""
    return content_macs(sealer, ((index, content),))[0]


def content_macs(sealer: TenantSealer, contents: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """`content_mac` of many, each its index and its content."""
    return sealer.content_macs(index + content for index, content in contents)


def seal_contact(sealer: TenantSealer, contact_id: UUID, source_id: str, content: bytes) -> bytes:
    """The blob: JSON of `source_id` and `contact`, bound to the row."""
    return seal_contacts(sealer, ((contact_id, source_id, content),))[0]


def seal_contacts(sealer: TenantSealer, contacts: Iterable[tuple[UUID, str, bytes]]) -> list[bytes]:
    """`seal_contact` of many, each its id, its source id and its content."""
    rows = [
        (str(contact_id), b"".join((_before(source_id), content, b"}"))) for contact_id, source_id, content in contacts
    ]
    return sealer.seal_all(CONTACT, rows)


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
    return b'{"source_id":' + _dump(source_id).encode() + b',"contact":'


def _source_id(blob: bytes) -> str:
    try:
        record: dict[str, object] = json.loads(blob)
        return str(record["source_id"])
    except (ValueError, KeyError):
        raise OpenRefused from None
