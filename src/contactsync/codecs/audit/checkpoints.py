"""Checkpoints: signed notes that say how long a log was, and which hash its last entry had.

The text is a C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint) of three lines: `contactsync/audit/{tenant}`, the number
of entries, the hash in base64. The hash is the head of the chain, where other logs have the root of a Merkle tree.
"""

import base64
import binascii
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contactsync.codecs.audit.chain import Roots
from contactsync.codecs.audit.signing import KEY_NAME, NoteSigner, VerifierKey, sign_note, verify_note
from contactsync.errors import NoteRefused

_TEXT: Final = re.compile(rf"{re.escape(KEY_NAME)}/([0-9a-f-]{{36}})\n([1-9][0-9]{{0,17}})\n([A-Za-z0-9+/]{{43}}=)\n")
_NOTES: Final = re.compile(rf"^{re.escape(KEY_NAME)}/[^\n]*\n[^\n]*\n[^\n]*\n\n(?:— [^\n]*\n)+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tenant's log had `size` entries, the last one's hash being `root` (32 bytes); `note` is the signed note."""

    tenant_id: UUID
    size: int
    root: bytes
    note: str


def make_checkpoint(signer: NoteSigner, tenant_id: UUID, size: int, root: bytes) -> Checkpoint:
    """Sign what a log is. The caller has verified that it goes on from what was signed before."""
    text = f"{origin_for(tenant_id)}\n{size}\n{base64.b64encode(root).decode()}\n"
    return Checkpoint(tenant_id, size, root, sign_note(text, signer))


def read_checkpoint(note: str, verifiers: Sequence[VerifierKey]) -> Checkpoint:
    """The checkpoint that a note is, signed by one of these keys.

    Raises:
        NoteRefused: it is none, or not signed so.
    """
    found = _TEXT.fullmatch(verify_note(note, verifiers))
    if found is None:
        raise NoteRefused
    try:
        return Checkpoint(UUID(found[1]), int(found[2]), base64.b64decode(found[3], validate=True), note)
    except (ValueError, binascii.Error):
        raise NoteRefused from None


def roots_of(checkpoints: Iterable[Checkpoint]) -> Roots:
    """What checkpoints of one log say together; two that contradict each other both count."""
    roots: defaultdict[int, set[bytes]] = defaultdict(set)
    for each in checkpoints:
        roots[each.size].add(each.root)
    return {size: frozenset(told) for size, told in roots.items()}


def notes_in(text: str) -> list[str]:
    """The notes in a file: log lines as JSON objects with a member `checkpoint`, notes one after the other, or both."""
    lines = text.replace("\r", "").split("\n")
    plain = "\n".join(line for line in lines if not line.startswith("{")) + "\n"
    return [*_logged(lines), *_NOTES.findall(plain)]


def copies_of(
    tenant_id: UUID, notes: Iterable[str], verifiers: Sequence[VerifierKey]
) -> tuple[tuple[Checkpoint, ...], bool]:
    """Of notes about any logs the checkpoints of one tenant's, and whether one of them was not signed by these keys."""
    ours = [note for note in notes if note.partition("\n")[0] == origin_for(tenant_id)]
    genuine: list[Checkpoint] = []
    for note in ours:
        with suppress(NoteRefused):
            genuine.append(read_checkpoint(note, verifiers))
    return tuple(genuine), len(genuine) < len(ours)


def origin_for(tenant_id: UUID) -> str:
    """The first line of a tenant's checkpoints."""
    return f"{KEY_NAME}/{tenant_id}"


def _logged(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        try:
            found: object = json.loads(line) if line.startswith("{") else None
        except ValueError:  # a line that was cut off, among those that were not
            continue
        match found:
            case {"checkpoint": str(note)}:
                yield note
            case _:
                continue
