"""HTML to text."""

import pytest
from hypothesis import example, given, settings
from tests.unit.contacts.people import wild

from contactsync.activities.sanitizing.markup import has_markup
from contactsync.activities.sanitizing.plain import is_plain_line, plain_line, plain_lines
from contactsync.activities.sanitizing.text import clean_line, clean_lines


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("<b>Ada</b> Lovelace", "Ada Lovelace"),
        ("Smith &amp; Sons", "Smith & Sons"),
        ("Smith & Sons", "Smith & Sons"),
        ("AT&T; Bell", "AT&T; Bell"),
        ("I <3 tea, 1 < 2", "I <3 tea, 1 < 2"),
        ("Ada <ada@calc.example>", "Ada <ada@calc.example>"),
        ("<i>Ada</i> <ada@calc.example>", "Ada <ada@calc.example>"),
        ("<b>1 < 2</b> and Ada <Sales", "1 < 2 and Ada <Sales"),
        ("<script>alert(1)</script>Ada", "Ada"),
        ("Ada<style>p{}</style><!-- secret -->", "Ada"),
        ("&lt;b&gt;Ada&lt;/b&gt;", "Ada"),
        ("&amp;lt;b&amp;gt;Ada", "Ada"),
        ("<\u200bb>Ada", "Ada"),
        ("&lt;&#8203;b&gt;Ada", "Ada"),
        ("caf&eacute; &#x1F642;", "café 🙂"),
        ("<img/src=x@y/onerror=alert(1)>", ""),
    ],
)
def test_markup_goes_and_text_stays(raw: str, plain: str) -> None:
    """Tags, scripts, comments and entities are resolved, however they hide; lone signs and addresses are text."""
    assert plain == plain_line(raw)


def test_blocks_become_lines() -> None:
    """Paragraphs and breaks of a note written in HTML stay apart."""
    assert plain_lines("<p>One<br/>two</p><p>three</p>") == "One\ntwo\nthree"


def test_markup_escaped_without_end_is_still_no_markup() -> None:
    """Escaping a tag a hundred times over gets nothing through, and takes no hundred rounds."""
    assert not has_markup(plain_line("&" + "amp;" * 100 + "lt;b&" + "amp;" * 100 + "gt;"))


@settings(max_examples=400)
@given(wild)
@example("<a@b.c>&lt;b")
def test_plain_text_is_its_own_plain_text(text: str) -> None:
    """Doing it twice changes nothing, whatever the text."""
    for plain in (plain_line, plain_lines):
        once = plain(text)
        assert once == plain(once)


@settings(max_examples=400)
@given(wild)
@example("a \u0301b")
@example("&amp")
@example("&lt;b")
@example("< b>")
@example("e\u0301")
def test_text_that_looks_plain_is_left_as_it_is(text: str) -> None:
    """What the cheap look calls plain has no markup, and is clean as one line and as several."""
    if is_plain_line(text):
        assert text == clean_line(text) == clean_lines(text)
        assert not has_markup(text)
