"""The messages of the audit log's checkpoints: counts."""

from typing import Final

from contactsync.activities.messages import Message

MAKE_CHECKPOINTS: Final = "make_checkpoints"


class CheckpointsMade(Message):
    """How many logs got a checkpoint, and how many got none because they are not sound."""

    made: int = 0
    unsound: int = 0
