"""One identity for a card, however its address is spelled."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contactsync.activities.sources.carddav_paths import (
    at,
    canonical,
    path_of,
    raw_path,
    resolved,
    respelled,
    same_collection,
)
from contactsync.errors import SourceMisbehaved

BASE = "https://dav.example/remote.php/dav/user@x/book/"


@pytest.mark.parametrize(
    "href",
    [
        "/remote.php/dav/user@x/book/a%20b.vcf",
        "/remote.php/dav/user%40x/book/a%20b.vcf",
        "/remote.php/dav/user%40x/book/%61%20b.vcf",
        "https://dav.example/remote.php/dav/user@x/book/a%20b.vcf",
        "http://backend:8080/remote.php/dav/user@x/book/a%20b.vcf",
        "a%20b.vcf",
        "./a%20b.vcf",
        "../book/a%20b.vcf",
        "/remote.php/dav/user@x/book/a b.vcf",
    ],
)
def test_spellings_of_one_card(href: str) -> None:
    """Absolute or relative, encoded more or less, behind another host: one path."""
    assert path_of(BASE, href) == "/remote.php/dav/user@x/book/a%20b.vcf"


@pytest.mark.parametrize("href", ["ä.vcf", "%c3%a4.vcf", "%C3%A4.vcf"])
def test_letters_and_hex_digits(href: str) -> None:
    """Bytes count, not the case of hex digits or whether a letter was encoded at all."""
    assert path_of(BASE, href) == "/remote.php/dav/user@x/book/%C3%A4.vcf"


@pytest.mark.parametrize(("one", "other"), [("a%2Fb.vcf", "a/b.vcf"), ("a.vcf", "A.vcf"), ("a%2520.vcf", "a%20.vcf")])
def test_different_cards_stay_different(one: str, other: str) -> None:
    """An encoded slash, another case and a second encoding are other cards."""
    assert path_of(BASE, one) != path_of(BASE, other)


def test_requests_keep_the_servers_spelling() -> None:
    """A server is asked with its own spelling, on the host that the connection names."""
    raw = raw_path(BASE, "http://backend:8080/dav/user%40x/ä b.vcf")
    assert at(BASE, raw) == "https://dav.example/dav/user%40x/%C3%A4%20b.vcf"


def test_collections_with_and_without_slash() -> None:
    """A collection is the same with and without its final slash."""
    assert same_collection("/a/b/", "/a/b")
    assert not same_collection("/a/b/", "/a/bc/")


@pytest.mark.parametrize("href", ["http://[", "//[::1"])
def test_addresses_that_are_none(href: str) -> None:
    """An address that cannot be read is the source's fault."""
    with pytest.raises(SourceMisbehaved):
        path_of(BASE, href)


@given(st.text(st.sampled_from("ab9/.-_~!$&'()*+,;=:@%2F?#[ä \\\n"), max_size=12).map("/".__add__))
@example("//host/a")
@example("/a/../b")
@example("/a/./b")
@example("/a//b")
@example("/a;b")
@example("/a\n")
@settings(max_examples=1_000)
def test_plain_paths_need_no_reading(href: str) -> None:
    """A path that looks plain is what it would be read as."""
    assert canonical(href) == respelled(href)
    try:
        slow = resolved(BASE, href)
    except SourceMisbehaved:
        with pytest.raises(SourceMisbehaved):
            raw_path(BASE, href)
    else:
        assert raw_path(BASE, href) == slow
