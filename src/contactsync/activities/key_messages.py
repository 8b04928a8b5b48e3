"""The messages of key life: ids and counts."""

from typing import Final
from uuid import UUID

from contactsync.activities.messages import Message

JUDGE_KEYS: Final = "judge_keys"
SETTLE_KEYS: Final = "settle_keys"


class KeyRef(Message):
    """Names a data key: its tenant, and its id in hex."""

    tenant_id: UUID
    kid: str

    @property
    def kid_bytes(self) -> bytes:
        """The id itself."""
        return bytes.fromhex(self.kid)


class JudgeKeys(Message):
    """Asks what is to become of the next keys whose date comes, behind `after`."""

    after: KeyRef | None = None


class JudgedKeys(Message):
    """What is to be destroyed and what to be held from now on. `held` counts all that are needed, whether they were
    held before or not; where there are more keys to judge, `next` is the place to go on behind."""

    destroy: tuple[KeyRef, ...] = ()
    hold: tuple[KeyRef, ...] = ()
    held: int = 0
    next: KeyRef | None = None


class SettleKeys(Message):
    """Destroys and holds what was judged."""

    destroy: tuple[KeyRef, ...] = ()
    hold: tuple[KeyRef, ...] = ()


class KeysSettled(Message):
    """How many keys were destroyed; those that somebody else had destroyed before are not among them."""

    destroyed: int = 0


class DestroyExpired(Message):
    """What `DestroyExpiredKeys` has done so far, from run to run; in the end, its result. `held` keys are needed by
    open executions."""

    after: KeyRef | None = None
    destroyed: int = 0
    held: int = 0
