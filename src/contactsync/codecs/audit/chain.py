"""The chain of hashes itself, without a database: what an entry is, how it links, and whether a log is sound.

`hash_n = SHA-256(hash_{n-1} ‖ entry_n)`; an entry is an `Entry` as canonical JSON (sorted keys, no spaces, UTF-8).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

FIRST: Final = bytes(32)
"""What stands before the first entry."""

Roots = Mapping[int, frozenset[bytes]]
"""What signed checkpoints say: after so many entries, this was the last one's hash."""


class Entry(BaseModel):
    """One entry. `seq` counts a tenant's entries from 1; `kind` is an `AuditKind` of some version."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    seq: int
    tenant: UUID
    at: datetime
    kind: str
    actor: str
    detail: dict[str, str | int]

    def canonical(self) -> str:
        """The JSON that is hashed."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as it is kept: its number, its text, and the hash that follows from it and the one before."""

    seq: int
    entry: str
    hash: bytes


class Soundness(StrEnum):
    """The verdict on a log."""

    SOUND = "sound"
    ALTERED = "altered"
    INCOMPLETE = "incomplete"


class Flaw(StrEnum):
    """What is wrong with a log, the first thing found."""

    ENTRY_ALTERED = "entry_altered"
    ENTRY_FOREIGN = "entry_foreign"
    ENTRY_REPEATED = "entry_repeated"
    CHECKPOINT_DIFFERS = "checkpoint_differs"
    CHECKPOINT_FORGED = "checkpoint_forged"
    ENTRY_MISSING = "entry_missing"
    TAIL_MISSING = "tail_missing"
    CHECKPOINT_MISSING = "checkpoint_missing"

    @property
    def soundness(self) -> Soundness:
        """The verdict that follows."""
        return Soundness.INCOMPLETE if self in _MISSING else Soundness.ALTERED


_MISSING: Final = frozenset({Flaw.ENTRY_MISSING, Flaw.TAIL_MISSING, Flaw.CHECKPOINT_MISSING})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: the number of the last entry that is sound, its hash, up to which entry signed checkpoints
    vouch for what is there, and what is wrong with what follows."""

    soundness: Soundness
    entries: int
    head: bytes
    signed: int = 0
    flaw: Flaw | None = None

    def unless(self, flaw: Flaw | None) -> "Verdict":
        """This verdict; where the chain is sound and something else is wrong, the one that follows from that."""
        return self if self.flaw or not flaw else replace(self, soundness=flaw.soundness, flaw=flaw)


def link(before: bytes, entry: str) -> bytes:
    """The hash of an entry, given that of the one before."""
    return hashlib.sha256(before + entry.encode("utf-8", "surrogatepass")).digest()


class ChainCheck:
    """Recomputes a tenant's chain, entry by entry."""

    def __init__(self, tenant_id: UUID, roots: Roots, *, after: int = 0, before: bytes = FIRST) -> None:
        """`after`, `before`: where the entries begin behind a part that is not looked at, its number and hash."""
        self._tenant_id = tenant_id
        self._roots = roots
        self._count = after
        self._head = before
        self._signed = 0
        self._flaw: Flaw | None = None
        self._compare(before)

    def add(self, held: Link) -> bool:
        """Look at the next entry; False once something is wrong, and what comes then does not count."""
        if self._flaw is None:
            self._flaw = self._flaw_of(held)
        if self._flaw is None:
            self._compare(held.hash, held.seq)
        if self._flaw is None:
            self._count, self._head = held.seq, held.hash
        return self._flaw is None

    def verdict(self, least: int = 0) -> Verdict:
        """What was found; a log that should have at least so many entries, or as many as a checkpoint says, must."""
        flaw = self._flaw
        if flaw is None and self._count < max(least, *self._roots, 0):
            flaw = Flaw.TAIL_MISSING
        soundness = flaw.soundness if flaw else Soundness.SOUND
        return Verdict(soundness, self._count, self._head, self._signed, flaw)

    def _flaw_of(self, held: Link) -> Flaw | None:
        if held.seq != self._count + 1:
            return Flaw.ENTRY_MISSING if held.seq > self._count else Flaw.ENTRY_REPEATED
        if held.hash != link(self._head, held.entry):
            return Flaw.ENTRY_ALTERED
        return None if _states(held, self._tenant_id) else Flaw.ENTRY_FOREIGN

    def _compare(self, found: bytes, size: int | None = None) -> None:
        """With what checkpoints say of a log of this size."""
        size = self._count if size is None else size
        told = self._roots.get(size)
        if told is None:
            return
        if told != frozenset((found,)):
            self._flaw = Flaw.CHECKPOINT_DIFFERS
        else:
            self._signed = size


def read_entry(text: str) -> Entry | None:
    """The entry that a text is; None where it is none."""
    try:
        return Entry.model_validate_json(text)
    except ValidationError:
        return None


def _states(held: Link, tenant_id: UUID) -> bool:
    """Whether the entry itself says that it is this tenant's and has this number."""
    content = read_entry(held.entry)
    return content is not None and (content.tenant, content.seq) == (tenant_id, held.seq)
