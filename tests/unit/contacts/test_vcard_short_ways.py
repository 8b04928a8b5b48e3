"""Short ways of reading a card: each gives what the long one gives, or leaves it to that."""

from hypothesis import example, given
from hypothesis import strategies as st

from contactsync.activities.contacts.vcard import any_components, plain_components
from contactsync.activities.contacts.vcard_lines import Line, lines_of

TEXTS = st.text('aÄ ;,\\:"=.n\tIi', max_size=12)


@given(TEXTS, st.sampled_from(["2.1", "3.0", "4.0"]))
@example("Ada;Lovelace;;Countess;", "3.0")
@example("King;M.;L.;Dr.;Jr.", "3.0")
@example(" ;A;B;C;;;II;x", "4.0")
def test_names(value: str, version: str) -> None:
    """A name that is plain has the components that any name of that text has."""
    plain = plain_components(value)
    assert plain is None or plain == any_components(Line("", "N", {}, value, version))


def test_usual_names_are_plain() -> None:
    """Names as nearly all are go the short way; lists, escapes and generations do not."""
    assert all(plain_components(value) is not None for value in ("Lovelace;Ada;;;", "Lovelace;Ada", "Ada", ""))
    assert all(plain_components(value) is None for value in ("A;B,C;;;", "A\\;B;C", "King;M;;;Jr.", "A;B;;;;C"))


@given(st.lists(st.tuples(st.sampled_from(["FN", "NOTE", "X-NO", "", "FN;LANGUAGE=de", "a.FN"]), TEXTS), max_size=5))
def test_lines(heads: list[tuple[str, str]]) -> None:
    """A line whose head is the property's name alone is read as one whose name is written otherwise."""

    def card(heads: list[tuple[str, str]]) -> str:
        body = "".join(f"{head}:{value}\n" for head, value in heads)
        return f"BEGIN:VCARD\nVERSION:4.0\n{body}END:VCARD\n"

    short = lines_of(card(heads), {"FN", "NOTE"})
    assert short == lines_of(card([(head.lower(), value) for head, value in heads]), {"FN", "NOTE"})
