"""The messages of purging: counts."""

from typing import Final

from contactsync.activities.messages import Message

PURGE_STAGED: Final = "purge_staged"


class Purged(Message):
    """How many runs had left something, and how many objects they were."""

    runs: int = 0
    objects: int = 0
