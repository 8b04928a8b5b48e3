"""Records of APIs that have no ETags get one of ours, so that what is listed again and equal is not worked on again.

It is a digest of all that is kept of a record, and as opaque as any ETag: the store keeps a keyed digest of it.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from contactsync.activities.sources.query import Listed
from contactsync.activities.sources.source import Change, Changed, Moved, Unchanged, Workbench

FORMAT: Final = b"2"
"""Raise it when contacts are cleaned differently, so that every record is cleaned once more."""

_CHARS: Final = 32
_WITH_ETAG: Final = (Listed, Changed)
_TURN: Final = 100
"""Records that are read at a time; between two turns, what is asked for ahead goes out and comes in."""


async def told_once(workbench: Workbench, listed: Sequence[Listed | Change]) -> list[Change]:
    """The changes with ETags; those that are held as they are become `Unchanged`, and are not read."""
    tagged = [_tagged(change) if isinstance(change, Changed) else change for change in listed]
    etags = _etags(tagged)
    held = await workbench.unchanged(etags) if etags else frozenset[str]()
    if len(held) == len(tagged):
        return [Unchanged(change.source_id) for change in tagged]
    told: list[Change] = []
    for start in range(0, len(tagged), _TURN):
        turn = tagged[start : start + _TURN]
        told += [Unchanged(change.source_id) if change.source_id in held else _read(change) for change in turn]
        await asyncio.sleep(0)
    return told


def _etags(tagged: Sequence[Listed | Change]) -> dict[str, str]:
    """The ETags of those that are named once: of what a page names twice the last word counts, and that an earlier one
    is held says nothing of it."""
    etags = {change.source_id: change.etag for change in tagged if isinstance(change, _WITH_ETAG) and change.etag}
    if len(etags) == len(tagged):
        return etags
    named = Counter([change.source_id for change in tagged])
    named.update(change.to for change in tagged if isinstance(change, Moved))
    return {name: etag for name, etag in etags.items() if named[name] == 1}


def etag_of(kept: bytes) -> str:
    """The ETag of a record of which this is all that is kept, or what all of that is made of."""
    return sha256(FORMAT + kept).hexdigest()[:_CHARS]


def _tagged(change: Changed) -> Changed:
    said = f"{change.version} {change.etag}\n".encode()
    return Changed(change.source_id, change.content, etag_of(said + change.content), change.version)


def _read(change: Listed | Change) -> Change:
    return change.read() if isinstance(change, Listed) else change
