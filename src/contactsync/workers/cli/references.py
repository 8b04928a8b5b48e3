"""Ids as people give them: whole, or so much of their start that only one fits."""

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from contactsync.errors import NotFound

_PREFIX: Final = re.compile(r"[0-9a-f-]{4,36}", re.ASCII)


def whole_id(text: str) -> UUID | None:
    """The id, where `text` is a whole one."""
    try:
        return UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None


def pick(text: str, ids: Iterable[UUID], missing: type[NotFound]) -> UUID:
    """The one id that `text` names: a whole UUID, or the first four or more of its characters.

    Raises:
        NotFound: as `missing`; none fits, or more than one does.
    """
    wanted = text.strip().lower()
    if whole := whole_id(wanted):
        if whole in set(ids):
            return whole
        raise missing
    if not _PREFIX.fullmatch(wanted):
        raise missing
    fitting = [each for each in ids if str(each).startswith(wanted)]
    if len(fitting) > 1:
        raise missing(f"{len(fitting)} ids begin like this; give more of the one you mean")
    if not fitting:
        raise missing
    return fitting[0]
