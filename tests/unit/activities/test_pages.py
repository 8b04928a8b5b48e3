"""Bodies of pages: what they carry, and that they never outgrow a payload."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import encode

from contactsync.activities.contacts.contact import Contact, Name, Note, written
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.pages import (
    BODY_BYTES,
    Bad,
    CleanContact,
    Gone,
    RawContact,
    Renamed,
    Same,
    clean_body,
    load_clean,
    load_raw,
    raw_body,
)
from contactsync.codecs.envelope.compression import compress
from contactsync.errors import PageUnreadable


def test_a_raw_body_carries_every_kind_of_record_unchanged() -> None:
    """Contacts, tombstones, unchanged ones and quarantine entries, in their order."""
    contacts = made_up_contacts(20, 5)
    records = [
        *(RawContact(str(n), Raw(written(contact)), f"e{n}") for n, contact in enumerate(contacts)),
        Gone("gone", 7),
        Same("same"),
        Bad("bad", QuarantineReason.UNREADABLE),
    ]
    body = raw_body(records)
    assert load_raw(body.content) == records
    assert body.quarantined == 1


def test_a_page_without_contacts_is_clean_as_it_is() -> None:
    """Workflows hand it to the store uncleaned: cleaning would give the very same bytes; one with a contact it would
    not, and the store refuses it."""
    records = [Gone("gone", 7), Same("same"), Bad("bad", QuarantineReason.UNREADABLE), Renamed("old", "new")]
    raw = raw_body(records)
    for body in (raw, raw_body([])):
        clean = clean_body(load_clean(body.content))
        assert (clean.content, clean.quarantined) == (body.content, body.quarantined)
    with pytest.raises(PageUnreadable):
        load_clean(raw_body([*records, RawContact("1", Raw(b"{}"))]).content)


def test_p20_a_page_that_does_not_fit_sets_its_largest_contacts_aside() -> None:
    """A note that no compression makes shorter; the page fits, and the contact is reported."""
    small = RawContact("small", Raw(written(Contact(name=Name(full="Small")))))
    noise = random.Random(20).randbytes(5_000).hex()  # noqa: S311  # text, not a secret
    large = RawContact("large", Raw(written(Contact(notes=(Note(note=noise),)))))
    body = raw_body([small, large], limit=4_000)
    assert len(body.content) <= 4_000
    assert load_raw(body.content) == [small, Bad("large", QuarantineReason.TOO_LARGE)]
    assert body.quarantined == 1


def test_p20_a_page_that_json_writes_longer_loses_nothing() -> None:
    """Control characters are six times as long in JSON, and phones twice when they are clean: compressed, both fit."""
    contacts = [Contact(uid=str(n), notes=(Note(note="\x01" * 2_000),)) for n in range(500)]
    body = raw_body([RawContact(contact.uid, Raw(written(contact))) for contact in contacts])
    assert len(body.content) > BODY_BYTES
    assert (body.quarantined, len(load_raw(body.content))) == (0, 500)


@given(st.lists(st.text('"\\a', max_size=400), max_size=12))
def test_p20_a_clean_page_never_outgrows_its_bound(contents: list[str]) -> None:
    """Whatever escaping does, and no record is lost."""
    records = [CleanContact(str(n), Raw(encode(content))) for n, content in enumerate(contents)]
    body = clean_body(records, limit=2_000)
    assert min(len(body.content), len(compress(body.content))) <= 2_000
    assert [record.id for record in load_clean(body.content)] == [record.id for record in records]


def test_another_version_s_body_is_refused_without_a_value() -> None:
    """The error says what to do and holds nothing of the body."""
    with pytest.raises(PageUnreadable) as refused:
        load_raw(b'[{"op": "hologram", "id": "zaphod@betelgeuse.example"}]')
    assert "zaphod" not in str(refused.value)
    assert refused.value.__cause__ is None
