"""URIs."""

import pytest

from contactsync.activities.sanitizing.links import clean_uri


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("https://calc.example/ada?x=1", "https://calc.example/ada?x=1"),
        ("www.calc.example/ada", "https://www.calc.example/ada"),
        ("calc.example:8080", "https://calc.example:8080"),
        ("xmpp:ada@calc.example", "xmpp:ada@calc.example"),
        ("urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af", "urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af"),
    ],
)
def test_a_harmless_uri_is_kept(raw: str, clean: str) -> None:
    """URIs of known schemes stay, a bare host becomes https."""
    assert clean == clean_uri(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http:",
        "not a uri",
        "http://x/\u3000y",
        "https://calc.example/" + "a" * 3000,
        "ada@calc.example",
    ],
)
def test_others_are_not(raw: str) -> None:
    """What may run or read something, is too long, or is no URI, is dropped."""
    assert clean_uri(raw) is None
