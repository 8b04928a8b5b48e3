"""Logs in memory, and exports of them, as the real ones are."""

import json
from datetime import UTC, datetime
from uuid import UUID

from contactsync.codecs.audit.chain import FIRST, Entry, Link, link
from contactsync.codecs.audit.checkpoints import make_checkpoint
from contactsync.codecs.audit.exporting import FORMAT
from contactsync.codecs.audit.signing import KEY_NAME, NoteSigner

TENANT = UUID("5b0f8f0e-6a53-4c0e-9d5f-0d6f4f0c7d11")
OTHER = UUID("0c8f5d1a-93f0-4c3a-8a53-64a5a4f6f0a2")
SIGNER = NoteSigner(KEY_NAME, bytes(range(32)))
FORGER = NoteSigner(KEY_NAME, bytes(range(1, 33)))
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def texts_of(count: int, tenant: UUID = TENANT) -> list[str]:
    """The entries' texts of a log."""
    return [
        Entry(seq=seq, tenant=tenant, at=AT, kind="page_committed", actor="worker", detail={"page": seq}).canonical()
        for seq in range(1, count + 1)
    ]


def chained(texts: list[str]) -> list[Link]:
    """The texts with their numbers and hashes."""
    links, head = list[Link](), FIRST
    for seq, text in enumerate(texts, 1):
        head = link(head, text)
        links.append(Link(seq, text, head))
    return links


def note_at(links: list[Link], size: int, *, signer: NoteSigner = SIGNER, tenant: UUID = TENANT) -> str:
    """A checkpoint of the log when it had this size."""
    return make_checkpoint(signer, tenant, size, links[size - 1].hash).note


def exported(links: list[Link], *notes: str, first: int = 1) -> list[str]:
    """The lines of an export, from an entry on."""
    before = links[first - 2].hash if first > 1 else FIRST
    head = {
        "format": FORMAT,
        "tenant": str(TENANT),
        "first": first,
        "last": len(links),
        "before": before.hex(),
        "key": SIGNER.verifier.text,
    }
    lines = [json.dumps(head), *(json.dumps({"checkpoint": each}) for each in notes)]
    return lines + [json.dumps({"entry": each.entry, "hash": each.hash.hex()}) for each in links[first - 1 :]]
