"""Wycheproof's vectors for JSON Web Signatures and Keys, run through the way a token takes."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from contactsync.codecs.server.jose import KeySet, SignedToken, TokenRefused

VECTORS: Final = Path(__file__).resolve().parents[3] / "vectors" / "jose"

SYMMETRIC: Final = {
    "json_web_signature_test": {1, 348, 352, 357, 358, 359, 372, 373, 376, 377},
    "json_web_key_test": {2, 13, 14, 15},
}
"""Right by RFC 7515, under a secret that issuer and reader share: there is no such thing here."""

KEY_OF_ANOTHER_ALGORITHM: Final = {"json_web_signature_test": {346, 347, 350, 351}, "json_web_key_test": set[int]()}
"""Figures of RFC 7520 for which the vectors' own key states an algorithm that is not the token's (RFC 7517 §4.4)."""


def cases(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(keys, test) of every vector of a file."""
    groups: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text())["testGroups"]
    return [(_set_of(group), test) for group in groups for test in group["tests"]]


def _set_of(group: dict[str, Any]) -> dict[str, Any]:
    """What the issuer would publish; symmetric groups have one key only, which stays as it is."""
    keys = group.get("public", group["private"])
    return keys if "keys" in keys else {"keys": [keys]}


def is_accepted(keys: dict[str, Any], token: str) -> bool:
    """Whether a token is let in as far as its signature goes."""
    try:
        SignedToken.read(token).payload(KeySet.from_json(json.dumps(keys).encode()))
    except TokenRefused:
        return False
    return True


@pytest.mark.parametrize(("name", "count"), [("json_web_signature_test", 401), ("json_web_key_test", 26)])
def test_all_vectors_hold(name: str, count: int) -> None:
    """What is invalid is refused; what is valid is accepted, but for secrets and keys of another algorithm."""
    tried = cases(name)
    assert len(tried) == count
    valid = {test["tcId"] for _, test in tried if test["result"] == "valid"}
    accepted = {test["tcId"] for keys, test in tried if is_accepted(keys, test["jws"])}
    assert accepted == valid - SYMMETRIC[name] - KEY_OF_ANOTHER_ALGORITHM[name]


def test_what_is_valid_and_refused_is_symmetric_or_of_another_algorithm() -> None:
    """The two exceptions are what they say they are."""
    for name in SYMMETRIC:
        for keys, test in cases(name):
            kinds = {key["kty"] for key in keys["keys"]}
            assert (test["tcId"] in SYMMETRIC[name]) == (kinds == {"oct"} and test["result"] == "valid")
            if test["tcId"] in KEY_OF_ANOTHER_ALGORITHM[name]:
                [key] = keys["keys"]
                del key["alg"]
                assert is_accepted(keys, test["jws"])
