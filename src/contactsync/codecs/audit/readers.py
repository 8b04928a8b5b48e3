"""Who read a tenant's contacts, as its log tells it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.codecs.audit.chain import Entry
from contactsync.codecs.audit.log import AuditKind

READINGS: Final = frozenset({AuditKind.CONTACTS_OPENED, AuditKind.PAYLOADS_OPENED})
"""The kinds of entries that tell of a reading."""

YES: Final = "yes"
MAYBE: Final = "maybe"


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading. `count`: contacts or payloads; `shown`: `whole` or `masked`; `certainty`: whether the contact that
    was asked about is `yes` among them or `maybe` (a log of payloads cannot know), None if none was asked about."""

    at: datetime
    actor: str
    kind: str
    shown: str
    count: int
    reason: str | None
    certainty: str | None

    def document(self) -> dict[str, str | int | datetime | None]:
        """The reading for programs."""
        return {
            "at": self.at,
            "actor": self.actor,
            "kind": self.kind,
            "shown": self.shown,
            "count": self.count,
            "reason": self.reason,
            "certainty": self.certainty,
        }


def readings_of(entries: Iterable[Entry], contact_id: UUID | None = None) -> tuple[Reading, ...]:
    """The readings that entries tell of; those that cannot have shown the contact that is asked about are left out."""
    found: list[Reading] = []
    for entry in entries:
        certainty = None if contact_id is None else _certainty(entry, contact_id)
        if entry.kind in READINGS and (contact_id is None or certainty is not None):
            found.append(_reading(entry, certainty))
    return tuple(found)


def _reading(entry: Entry, certainty: str | None) -> Reading:
    detail = entry.detail
    counts = (detail.get(name) for name in ("payloads", "contacts", "quarantined"))
    why = [str(detail[name]) for name in ("reason", "ticket") if detail.get(name)]
    return Reading(
        at=entry.at,
        actor=entry.actor,
        kind=entry.kind,
        shown=str(detail.get("shown", "whole")),
        count=next((int(each) for each in counts if each is not None), 0),
        reason=" ".join(why) or None,
        certainty=certainty,
    )


def _certainty(entry: Entry, contact_id: UUID) -> str | None:
    """Whether the entry tells of this contact: `yes`, `maybe`, or None for no."""
    wanted, detail = str(contact_id), entry.detail
    if "contact" in detail:
        return YES if detail["contact"] == wanted else None
    if "ids" in detail:
        return YES if wanted in str(detail["ids"]).split(",") else None
    if "after" in detail and "last" in detail:
        return MAYBE if str(detail["after"]) < wanted <= str(detail["last"]) else None
    return MAYBE
