"""Masking: what an operator may see."""

import json
import re
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from contactsync.activities.messages import CleanPage, PageHead
from contactsync.codecs.payloads.converter import MessageConverter
from contactsync.codecs.payloads.failures import SealedFailureConverter
from contactsync.codecs.server.masking import Json, first_letters, mask, mask_payload
from contactsync.errors import DatabaseFull

UUID_TEXT = str(uuid4())


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (None, None),
        (True, True),
        (42, 42),
        (1.5, 1.5),
        ("", ""),
        ("Anna Maria Schmidt-Huber Ziegler", "A… M… S…"),
        ("anna.schmidt@example.org", "a… e…"),
        ("+49 170 1234567", "… … …"),
        ("1980-02-29", "…"),
        ("王小明", "王…"),
        (UUID_TEXT, UUID_TEXT),
        (UUID_TEXT.upper(), first_letters(UUID_TEXT.upper())),
        ({"name": "Anna", "count": 3}, {"name": "A…", "count": 3}),
        ({"anna@example.org": 1, "Anna Schmidt": 2}, {"a… e…": 1, "A… S…": 2}),
        (
            {"outcome": "CredentialsRejected", "paused": "operator"},
            {"outcome": "CredentialsRejected", "paused": "operator"},
        ),
        ({"outcome": "Anna Schmidt", "state": "a@example.org"}, {"outcome": "A… S…", "state": "a… e…"}),
        ({"outcome": ["Anna"]}, {"outcome": ["A…"]}),
        ('{"given":"Anna"}', {"given": "A…"}),
        ('["Anna"]', ["A…"]),
        ("{Anna}", "…"),
    ],
)
def test_each_kind_of_value(value: Json, masked: Json) -> None:
    """Structure, numbers, booleans and UUIDs stay; of text, first letters; codes stay where they belong."""
    assert mask(value) == masked


def test_depth_is_bounded() -> None:
    """What is nested too deeply is withheld, not followed."""
    value: Json = 42
    for _ in range(100):
        value = [value]
    shown = json.dumps(mask(value), ensure_ascii=False)
    assert (shown.count("["), shown.strip("[]")) == (32, '"…"')
    assert mask("[" * 100_000) == "…"


texts = st.text(st.characters(categories=["Ll", "Lu", "Lo", "Nd", "Po", "Zs"]), min_size=2)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "content", "value"]), inner),
)


@given(values)
def test_no_word_of_two_letters_survives(value: Json) -> None:
    """Whatever the structure, no two characters of a text are left next to each other."""

    def texts_of(json_value: Json) -> list[str]:
        match json_value:
            case str():
                return [json_value]
            case list():
                return [text for item in json_value for text in texts_of(item)]
            case dict():
                return [text for item in json_value.values() for text in texts_of(item)]
            case _:
                return []

    for text in texts_of(mask(value)):
        assert all(len(word) <= 2 and word.endswith("…") for word in text.split(" ") if word)


@given(st.text() | st.text(" \t@,;.-Ab1\u00a0\u2003"))
def test_first_letters_are_those_of_the_words(text: str) -> None:
    """Words end at white space, `@`, comma and semicolon; the first letters of the first three are shown."""
    words = [word for word in re.split(r"[\s@,;]+", text) if word][:3]
    assert first_letters(text) == " ".join((word[0] if word[0].isalpha() else "") + "…" for word in words)


def clean_page() -> Payload:
    """A page with thirty records, as a workflow carries it."""
    head = PageHead(
        tenant_id=uuid4(),
        connection_id=uuid4(),
        epoch=1,
        page=2,
        cursor=b"bearer-like",
        done=False,
        full=True,
        generation=3,
        changes=30,
        downloaded=30,
    )
    content = json.dumps({"name": {"full": "Anna Schmidt"}, "emails": [{"address": "anna@example.org"}]})
    records = [{"op": "clean", "id": "/anna.vcf", "content": content, "emails": ["anna@example.org"]}] * 29
    body = json.dumps([{"op": "bad", "id": "/x.vcf", "reason": "not_a_card"}, *records]).encode()
    return MessageConverter().to_payload(CleanPage(head, body))


def test_a_page_shows_its_head_and_the_shape_of_its_body() -> None:
    """Ids and counts of the head, and the first twenty records masked; not the cursor, and nobody."""
    payload = clean_page()
    masked = mask_payload(payload)
    assert masked.metadata["encoding"] == b"json/plain"
    shown = json.loads(masked.data)
    assert (shown["head"]["changes"], shown["head"]["page"], shown["head"]["full"]) == (30, 2, True)
    assert shown["head"]["cursor"] == "Y…"
    assert (shown["body"]["records"], len(shown["body"]["first"])) == (30, 20)
    assert shown["body"]["first"][0] == {"op": "bad", "id": "…", "reason": "not_a_card"}
    assert shown["body"]["first"][1]["content"] == {"name": {"full": "A… S…"}, "emails": [{"address": "a… e…"}]}
    for planted in (b"Anna", b"anna", b"Schmidt", b"example.org", b"bearer"):
        assert planted not in masked.data


@pytest.mark.parametrize(
    ("encoding", "data", "shown"),
    [
        (b"binary/plain", b"Anna Schmidt", {"bytes": 12}),
        (b"binary/protobuf", b"Anna", {"bytes": 4}),
        (b"something/else", b"Anna", {"bytes": 4}),
        (b"", b"Anna", {"bytes": 4}),
        (b"json/plain", b'"Anna"', "A…"),
        (b"json/plain", b"Anna", "…"),
        (b"json/plain", b"null", None),
        (b"json/protobuf", b'{"name":"Anna"}', {"name": "A…"}),
        (b"binary/x-contactsync-framed", b"Anna", {"bytes": 4}),
        (b"binary/x-contactsync-framed", b"\x00\x00\x00\x02{}Anna", {"head": {}, "body": {"bytes": 4}}),
    ],
)
def test_each_encoding(encoding: bytes, data: bytes, shown: Json) -> None:
    """JSON is masked; of everything else only the size is shown."""
    masked = mask_payload(Payload(metadata={"encoding": encoding, "name": b"Anna"}, data=data))
    assert json.loads(masked.data) == shown
    assert b"Anna" not in masked.SerializeToString()


def test_nothing_stays_nothing() -> None:
    """A null payload is passed as it is."""
    null = Payload(metadata={"encoding": b"binary/null"})
    assert mask_payload(null) == null


def test_our_errors_are_readable() -> None:
    """An error's sentence and stack trace, which hold no person, are what an operator needs at night."""
    from temporalio.api.failure.v1 import Failure  # noqa: PLC0415  # beside its one use

    failure = Failure()
    SealedFailureConverter().to_failure(DatabaseFull(), MessageConverter(), failure)
    shown = json.loads(mask_payload(failure.encoded_attributes).data)
    assert shown["message"] == str(DatabaseFull())
