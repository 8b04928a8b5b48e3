"""Whatever is sent as a token or published as a key: refused, never an error of another kind."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.codecs.server.signing import SigningKey, signed

from contactsync.codecs.server.jose import ALGORITHMS, KeySet, SignedToken, TokenRefused

KEY = SigningKey("one")
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ENCODED = st.text("ABCxyz019-_", max_size=700) | st.sampled_from(["AQAB", KEY.jwk["x"], KEY.jwk["y"], "A" * 342])
ANY_JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))


def is_accepted(key_set: bytes, token: str) -> bool:
    """Whether the signature holds."""
    try:
        SignedToken.read(token).payload(KeySet.from_json(key_set))
    except (TokenRefused, ValueError):
        return False
    return True


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_any_text(text: str) -> None:
    """A token is a text of three parts that somebody signed; no other text is."""
    assert not is_accepted(json.dumps({"keys": [KEY.jwk]}).encode(), text)


@given(ANY_JSON, ANY_JSON)
def test_any_header_and_key_set(header: object, key_set: object) -> None:
    """JSON of any kind in the place of a header, and in that of a key set."""
    assert not is_accepted(json.dumps(key_set).encode(), signed(KEY, header, {}))


@given(
    st.sampled_from(ALGORITHMS),
    st.fixed_dictionaries(
        {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct"])},
        optional={
            "crv": st.sampled_from(["P-256", "P-384", "P-521", "Ed25519", "Ed448", "X25519", "secp256k1"]),
            **dict.fromkeys(("n", "e", "x", "y", "d", "k"), ENCODED | VALUES),
            "use": st.sampled_from(["sig", "enc"]),
        },
    ),
)
def test_any_key(algorithm: str, key: dict[str, Any]) -> None:
    """Keys with members of any kind: points off their curve, numbers of no use, what is no base64."""
    token = signed(KEY, {"alg": algorithm, "kid": "one"}, {})
    mine = key.get("x") == KEY.jwk["x"] and key.get("y") == KEY.jwk["y"]
    assert mine or not is_accepted(json.dumps({"keys": [{**key, "kid": "one"}]}).encode(), token)
