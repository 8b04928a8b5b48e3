"""Whatever the text, the reader answers with a contact or with a reason."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.contacts.cards import ALL, card, exported
from tests.unit.contacts.people import LONE_SURROGATES, NAUGHTY, wild

from contactsync.activities.contacts.contact import Contact, written
from contactsync.activities.contacts.limits import MAX_CONTACT_BYTES
from contactsync.activities.contacts.quarantine import UnreadableContact
from contactsync.activities.contacts.vcard import SURELY_SMALL, parse_vcard, read_vcard
from contactsync.activities.contacts.vcard_lines import CHARSETS, any_lines, lines_of, logical_lines
from contactsync.activities.contacts.vcard_vocabulary import FIELD_OF

PROPERTIES = sorted(FIELD_OF)
FILES = [
    "John_Doe_ANDROID.vcf",
    "John_Doe_EVOLUTION.vcf",
    "John_Doe_GMAIL.vcf",
    "John_Doe_MS_OUTLOOK.vcf",
    "rfc6350-example.vcf",
]


def _read(text: str | bytes) -> Contact | None:
    try:
        return parse_vcard(text, ALL)
    except UnreadableContact:
        return None


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
def test_naughty_strings_in_every_property(version: str) -> None:
    """Each naughty string as the value of each property, as text and as bytes, is read, with the line after it."""
    for naughty in (*NAUGHTY, *LONE_SURROGATES):
        value = naughty.replace("\r", " ").replace("\n", " ")
        text = card(*(f"{name}:{value}" for name in PROPERTIES), "UID:after", version=version)
        for form in (text, text.encode("utf-8", "surrogatepass")):
            contact = _read(form)
            assert contact is not None
            assert contact.uid == "after"
            contact.model_dump_json()


@settings(max_examples=300)
@given(st.one_of(st.text(st.characters()), st.binary(max_size=300)))
def test_any_text_is_a_contact_or_refused(text: str | bytes) -> None:
    """Random text and bytes never bring the reader down."""
    _read(text)


def _line(name: str, parameters: str, value: str) -> str:
    return f"{name}{parameters}:{value}"


lines = st.builds(
    _line,
    st.one_of(st.sampled_from(PROPERTIES), wild),
    st.one_of(
        st.just(""),
        st.from_regex(
            r'(;(TYPE|ENCODING|CHARSET|PREF|ALTID|[a-z]{1,3})?=?("[a-z:;,]{0,4}"|[A-Za-z0-9^,-]{0,6})?){1,3}',
            fullmatch=True,
        ),
        st.just(";ENCODING=QUOTED-PRINTABLE"),
        st.just(";ENCODING=b"),
    ),
    wild,
)


@settings(max_examples=300)
@given(st.lists(lines, max_size=6), st.sampled_from(["2.1", "3.0", "4.0", "9", ""]))
@example(["FN;ENCODING=QUOTED-PRINTABLE:="], "2.1")
@example(["FN;CHARSET=UTF-16;ENCODING=QUOTED-PRINTABLE:=D8=00"], "2.1")
def test_any_lines_make_a_card(some: list[str], version: str) -> None:
    """A card of random lines is read as text and as bytes alike, or refused both times."""
    text = card(*some, version=version)
    assert _read(text) == _read(text.encode())


@settings(max_examples=200)
@given(st.data())
def test_damaged_exports_are_read_or_refused(data: st.DataObject) -> None:
    """Real cards with a byte changed, taken out or cut off anywhere never bring the reader down."""
    text = bytearray(data.draw(st.sampled_from([one for file in FILES for one in exported(file)])))
    at = data.draw(st.integers(0, len(text) - 1))
    damage = data.draw(st.sampled_from(["change", "remove", "cut"]))
    if damage == "change":
        text[at] = data.draw(st.integers(0, 255))
    else:
        del text[at : at + 1 if damage == "remove" else len(text)]
    _read(bytes(text))


PIECES = ["BEGIN:VCARD", "END:VCARD", "begin:vcard", " End:vCard ", "NOTE:a=", "NOTE;ENCODING=QUOTED-PRINTABLE:a=", ""]
BREAKS = ["\n", "\r\n", "\r", "\n ", "\n\t", "\n\n \t", "=\n", ""]


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from([*PIECES, "FN:a", "AGENT:"]), st.sampled_from(BREAKS)), max_size=6))
def test_cards_cut_in_one_go_are_cut_alike(middle: list[tuple[str, str]]) -> None:
    """What the quick way makes of a card's lines is what the careful way makes of them, whatever is in the card."""
    inner = "".join(piece + end for piece, end in middle)
    for text in (inner, f"BEGIN:VCARD\r\n{inner}END:VCARD\r\n", f"BEGIN:VCARD\n{inner}\nEND:VCARD"):
        assert _lines(any_lines, text.replace("\r\n", "\n").replace("\r", "\n")) == _lines(logical_lines, text)


def _lines(cut: Callable[[str], Iterable[str]], text: str) -> list[str] | None:
    try:
        return [line for line in cut(text) if line]
    except UnreadableContact:
        return None


@pytest.mark.parametrize("file", FILES)
def test_json_of_a_card_is_canonical(file: str) -> None:
    """The JSON that a card is read into is that of the contact, byte for byte."""
    for text in exported(file):
        assert read_vcard(text, ALL) == written(parse_vcard(text, ALL))


@pytest.mark.parametrize("charset", [*sorted(CHARSETS), "no-such"])
def test_small_cards_need_no_measure(charset: str) -> None:
    """In no character set does a text become so much longer that a small card could be a contact that is too large."""
    text = card(f"NOTE;CHARSET={charset};ENCODING=QUOTED-PRINTABLE:" + "\U0001d11e\U0010ffffé\x80" * 200)
    (line,) = lines_of(text, {"NOTE"})
    assert len(line.value.encode()) * SURELY_SMALL <= len(text) * MAX_CONTACT_BYTES
