"""The source that all contenders read."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from benchmarks.provider import SHAPES, Records

from contactsync.activities.sanitizing.emails import clean_email
from contactsync.activities.sanitizing.phones import clean_phone


def listed(records: Records, since: datetime | None = None) -> Iterator[dict[str, str]]:
    """Everything, page after page."""
    cursor: int | None = 0
    while cursor is not None:
        text, cursor = records.page(cursor, since, small=False)
        yield from json.loads(b"[" + text + b"]")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_listing_is_complete(shape: str) -> None:
    """Each contact comes once, and what one in a hundred changes to is told by the turn."""
    records = Records(2_500, shape)
    assert [each["id"] for each in listed(records)] == [f"{number:09}" for number in range(2_500)]
    turned = records.turn()
    changed = [each for each in listed(records) if each["job_title"] == "Engineer r2"]
    assert len(changed) == 25
    assert turned == {"id": changed[0]["id"], "email": "p0@people.example", "job_title": "Engineer r2"}


def test_the_filter_tells_what_changed() -> None:
    """Changes since a time are those, with that time itself among them."""
    records, before = Records(1_000, "flat"), datetime.now(UTC)
    assert list(listed(records, before)) == []
    records.turn()
    records.turn()
    assert len(list(listed(records, before))) == 20
    assert len(list(listed(records, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=999)))) == 21


def test_the_contacts_are_real_work() -> None:
    """Cleaning finds every address and number good, in whatever way it is written."""
    for each in listed(Records(1_000, "flat")):
        assert clean_email(each["email"]) is not None
        assert all((found := clean_phone(each[name], "DE")) and found.e164 for name in ("phone", "mobile"))
