"""The cursor handle: what a workflow carries and the database keeps, sealed, and only the fetch activity opens."""

from typing import Final
from uuid import UUID

from pydantic import ValidationError

from contactsync.activities.messages import Message
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import OpenRefused

_TABLE: Final = "cursor"


class Cursor(Message):
    """Where a connection stands. `generation` numbers complete listings from 1; `full` says whether the pages after
    this one still belong to one; `source` is the source's own cursor, opaque."""

    generation: int
    full: bool
    source: bytes


def seal_cursor(sealer: TenantSealer, connection_id: UUID, cursor: Cursor) -> bytes:
    """The handle of `cursor`, bound to its tenant and connection."""
    return sealer.seal(_TABLE, str(connection_id), cursor.model_dump_json().encode())


def open_cursor(sealer: TenantSealer, connection_id: UUID, sealed: bytes) -> Cursor:
    """What `seal_cursor` sealed.

    Raises:
        OpenRefused: it was sealed for another connection, or is damaged.
    """
    try:
        return Cursor.model_validate_json(sealer.open(_TABLE, str(connection_id), sealed))
    except ValidationError:
        raise OpenRefused from None
