"""Who read, from entries."""

from uuid import UUID

import pytest
from tests.unit.codecs.audit.logs_at_hand import AT, TENANT

from contactsync.codecs.audit.chain import Entry
from contactsync.codecs.audit.log import AuditKind, Detail
from contactsync.codecs.audit.readers import MAYBE, YES, readings_of

CONTACT, SMALLER, LARGER = (UUID(int=n) for n in (20, 10, 30))


def entry(kind: AuditKind, detail: Detail) -> Entry:
    """An entry as it is kept."""
    return Entry(seq=1, tenant=TENANT, at=AT, kind=kind, actor="cli/7", detail=dict(detail))


OPENED = AuditKind.CONTACTS_OPENED


@pytest.mark.parametrize(
    ("detail", "certainty"),
    [
        ({"contact": str(CONTACT), "contacts": 1}, YES),
        ({"contact": str(LARGER), "contacts": 1}, None),
        ({"by": "email", "contacts": 2, "ids": f"{SMALLER},{CONTACT}"}, YES),
        ({"by": "email", "contacts": 0, "ids": ""}, None),
        ({"by": "email", "contacts": 1, "ids": str(SMALLER)}, None),
        ({"after": str(SMALLER), "last": str(CONTACT), "contacts": 9}, MAYBE),
        ({"after": str(CONTACT), "last": str(LARGER), "contacts": 9}, None),
        ({"by": "email", "contacts": 2}, MAYBE),
    ],
)
def test_whether_a_contact_was_among_what_was_opened(detail: Detail, certainty: str | None) -> None:
    """An entry says yes, no, or that it may be."""
    found = readings_of([entry(OPENED, detail)], CONTACT)
    assert [each.certainty for each in found] == ([certainty] if certainty else [])
    assert [each.certainty for each in readings_of([entry(OPENED, detail)])] == [None]


def test_payloads_may_hold_anybody() -> None:
    """A reading of payloads says how they were shown, and why."""
    detail: Detail = {"payloads": 3, "shown": "masked", "reason": "support", "ticket": "OPS-12"}
    (found,) = readings_of([entry(AuditKind.PAYLOADS_OPENED, detail)], CONTACT)
    assert (found.shown, found.count, found.reason, found.certainty) == ("masked", 3, "support OPS-12", MAYBE)


def test_what_is_no_reading_is_left_out() -> None:
    """A commit shows nothing to anybody."""
    assert readings_of([entry(AuditKind.PAGE_COMMITTED, {"page": 1})]) == ()
