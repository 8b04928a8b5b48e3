"""The cursor handle: what a workflow carries and the database keeps, sealed, and only the fetch activity opens."""

import hashlib
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from contactsync.activities.contacts.contact import Fields
from contactsync.activities.messages import Message
from contactsync.activities.sources.progress_guard import Trail
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import OpenRefused

CURSOR: Final = "cursor"
"""What the handle is bound to, beside its connection."""


class Cursor(Message):
    """Where a connection stands. `generation`: that of the newest complete listing; `full` says whether the pages
    after this one still belong to it; `source` is the source's own cursor, opaque.

    `listed_at`: when that listing began, in seconds since the epoch. `mask` stands for the policy under which it was
    read ("": an earlier version did not say); `reread`: it reads all bodies anew; `first`: nothing was held when it
    began. `trail`: the pages of the pass.
    """

    generation: int
    full: bool
    source: bytes
    listed_at: float | None = None
    mask: str = ""
    reread: bool = False
    first: bool = False
    trail: Trail = Trail()


def mask_of(fields: Fields, region: str) -> str:
    """A short name for what contacts are read and cleaned by: an allow-list, and the region of phone numbers."""
    return hashlib.blake2s(",".join([*sorted(fields), region]).encode(), digest_size=8).hexdigest()


def part_cursor(source: bytes, mask: str) -> Cursor:
    """The cursor at which a part of a backfill begins."""
    return Cursor(generation=0, full=True, source=source, mask=mask, reread=True)


def baseline_cursor(source: bytes, mask: str, now: float) -> Cursor:
    """The cursor of a connection that a backfill lists: live sync goes on from the source's present.

    `now` in seconds since the epoch: the listing counts as done, so that live sync does not begin one of its own.
    """
    return Cursor(generation=0, full=False, source=source, mask=mask, listed_at=now)


def seal_cursor(sealer: TenantSealer, connection_id: UUID, cursor: Cursor) -> bytes:
    """The handle of `cursor`, bound to its tenant and connection."""
    return sealer.seal(CURSOR, str(connection_id), cursor.model_dump_json(exclude_defaults=True).encode())


def renew_cursor(sealer: TenantSealer, connection_id: UUID, sealed: bytes) -> bytes:
    """The same handle under the newest key."""
    return sealer.renew(CURSOR, str(connection_id), sealed)


def digest_cursor(sealer: TenantSealer, connection_id: UUID, sealed: bytes) -> bytes:
    """What a handle holds, in short: the same under whatever key it is sealed.

    Raises:
        OpenRefused: as `open_cursor`.
    """
    return hashlib.blake2s(sealer.open(CURSOR, str(connection_id), sealed), digest_size=16).digest()


def open_cursor(sealer: TenantSealer, connection_id: UUID, sealed: bytes) -> Cursor:
    """What `seal_cursor` sealed.

    Raises:
        OpenRefused: it was sealed for another connection, or is damaged.
    """
    try:
        return Cursor.model_validate_json(sealer.open(CURSOR, str(connection_id), sealed))
    except ValidationError:
        raise OpenRefused from None
