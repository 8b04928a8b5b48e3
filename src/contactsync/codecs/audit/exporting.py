"""A tenant's log as a file that can be checked anywhere: JSON lines.

The first line says what the file holds, then come the checkpoints of that part of the log, then its entries:

    {"format": "contactsync-audit/1", "tenant": …, "first": 1, "last": 3, "before": hash in hex, "key": verifier key}
    {"checkpoint": signed note}
    {"entry": the text that was hashed, "hash": in hex}
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contactsync.codecs.audit.chain import FIRST, ChainCheck, Flaw, Link, Verdict, read_entry
from contactsync.codecs.audit.checkpoints import copies_of, roots_of
from contactsync.codecs.audit.logs import AuditLogs
from contactsync.codecs.audit.signing import VerifierKey
from contactsync.errors import NoteRefused

FORMAT: Final = "contactsync-audit/1"
_HASH: Final = r"^[0-9a-f]{64}$"


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Head(_Line):
    format: Literal["contactsync-audit/1"]
    tenant: UUID
    first: int = Field(ge=1)
    last: int = Field(ge=0)
    before: str = Field(pattern=_HASH)
    key: str


class _Note(_Line):
    checkpoint: str


class _Entry(_Line):
    entry: str
    hash: str = Field(pattern=_HASH)


@dataclass(frozen=True, slots=True)
class ExportVerdict:
    """Whose log the file holds, from which entry on, what the check found, and the key that it was checked with."""

    tenant_id: UUID
    first: int
    verdict: Verdict
    verifier: VerifierKey


async def export(
    logs: AuditLogs, tenant_id: UUID, since: datetime | None = None, until: datetime | None = None
) -> AsyncIterator[str]:
    """The lines of the tenant's log, or of the part that holds its entries from `since` to before `until`.

    A part goes on to the next checkpoint, so that a signature vouches for all of it.

    Raises:
        DatabaseError, KeysError.
    """
    notes = await logs.notes(tenant_id)
    verifier = (await logs.signer()).verifier
    sizes = {each.size: each.note for each in copies_of(tenant_id, notes, [verifier])[0]}
    first, last, before = await _part(logs, tenant_id, since, until)
    last = min((size for size in sizes if size >= last), default=last)
    head = {"tenant": str(tenant_id), "first": first, "last": last, "before": before.hex(), "key": verifier.text}
    yield _dump({"format": FORMAT, **head})
    for size in sorted(sizes):
        if first - 1 <= size <= last:
            yield _dump({"checkpoint": sizes[size]})
    if last >= first:
        async for each in logs.links(tenant_id, first, last):
            yield _dump({"entry": each.entry, "hash": each.hash.hex()})


def check_export(
    lines: Iterable[str], verifier: VerifierKey | None = None, copies: Sequence[str] = ()
) -> ExportVerdict:
    """Check an export, without a database or a key of ours.

    Args:
        lines: of the file.
        verifier: the public key to trust; without one the file's own is taken, which its maker could choose.
        copies: checkpoints kept elsewhere, as notes.

    Raises:
        NoteRefused: it is no export.
    """
    source = iter(lines)
    head = _head(next(source, ""))
    key = verifier or VerifierKey.parse(head.key)
    notes, rest = _notes(source)
    trusted, forged = copies_of(head.tenant, [*notes, *copies], [key])
    foreign = len(notes) > len(copies_of(head.tenant, notes, [key])[0])
    check = ChainCheck(head.tenant, roots_of(trusted), after=head.first - 1, before=bytes.fromhex(head.before))
    unreadable = _feed(check, rest)
    verdict = check.verdict(head.last).unless(Flaw.CHECKPOINT_FORGED if forged or foreign else None)
    if unreadable and verdict.flaw in (None, Flaw.TAIL_MISSING):
        verdict = Verdict(unreadable.soundness, verdict.entries, verdict.head, verdict.signed, unreadable)
    return ExportVerdict(head.tenant, head.first, verdict, key)


def _feed(check: ChainCheck, lines: Iterable[str]) -> Flaw | None:
    """Give the entries to the check; what an unreadable line means: cut off if it is the last one, else altered."""
    unreadable = False
    for line in lines:
        if unreadable:
            return Flaw.ENTRY_ALTERED
        held = _link(line)
        if held is None:
            unreadable = True
        elif not check.add(held):
            return None
    return Flaw.TAIL_MISSING if unreadable else None


def _link(line: str) -> Link | None:
    try:
        read = _Entry.model_validate_json(line)
    except ValidationError:
        return None
    content = read_entry(read.entry)
    return Link(content.seq, read.entry, bytes.fromhex(read.hash)) if content else None


def _head(line: str) -> _Head:
    try:
        return _Head.model_validate_json(line)
    except ValidationError:
        raise NoteRefused(f"this is no export of an audit log; its first line names the format {FORMAT}") from None


def _notes(lines: Iterator[str]) -> tuple[list[str], Iterator[str]]:
    """The checkpoints at the beginning, and all lines that follow them."""
    notes: list[str] = []
    for line in lines:
        try:
            notes.append(_Note.model_validate_json(line).checkpoint)
        except ValidationError:
            return notes, chain([line], lines)
    return notes, lines


async def _part(
    logs: AuditLogs, tenant_id: UUID, since: datetime | None, until: datetime | None
) -> tuple[int, int, bytes]:
    """The number of the first and the last entry between two times, and the hash before the first; an empty part of
    the log ends before it begins."""
    first, last, before = 0, 0, FIRST
    async for each in logs.links(tenant_id):
        entry = read_entry(each.entry)
        if entry is not None and until is not None and entry.at >= until:
            break
        if first == 0 and (since is None or (entry is not None and entry.at >= since)):
            first = each.seq
        last = each.seq
        if first == 0:
            before = each.hash
    return (first, last, before) if first else (last + 1, last, before)


def _dump(line: dict[str, str | int]) -> str:
    return json.dumps(line, ensure_ascii=False)
