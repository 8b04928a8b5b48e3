"""Signed tokens: JSON Web Signature in compact form (RFC 7515) under a published set of JSON Web Keys (RFC 7517).

Only asymmetric algorithms, and only under a key that is meant for them: what the token itself brings along to be
checked with (`jwk`, `jku`, `x5u`, `x5c`) is not looked at (RFC 8725). PyJWT does the cryptography.
"""

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Final

from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contactsync.codecs.server.limits import unique
from contactsync.codecs.server.roca import has_roca_fingerprint

MAX_TOKEN_BYTES: Final = 8 * 1024
MAX_KEYS: Final = 100

_KEY_TYPES: Final = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
ALGORITHMS: Final = tuple(_KEY_TYPES)
_TYPES: Final = frozenset({None, "jwt", "at+jwt", "application/at+jwt"})
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+")
_RSA_BITS: Final = range(2048, 8192 + 1)
_LEAST_EXPONENT: Final = 65537  # NIST SP 800-56B §6.2
_MOST_EXPONENT: Final = 2**32
_Base64Url = Field(None, max_length=2048, pattern=r"^[A-Za-z0-9_-]+$")


class TokenRefused(Exception):
    """A token that says nothing to us; `code` is why, from a closed list, for the log."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code: Final = code


class _Header(BaseModel):
    """A JOSE header. Whatever else it holds is ignored, but for extensions that must be understood (`crit`)."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    alg: str
    kid: str = Field(min_length=1, max_length=256)
    typ: str | None = None
    crit: object = None
    b64: object = None


class Jwk(BaseModel):
    """A public key for signatures (RFC 7517 §4, RFC 7518 §6)."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    kty: str
    kid: str = Field(min_length=1, max_length=256)
    alg: str | None = None
    use: str | None = None
    key_ops: list[str] | None = None
    crv: str | None = None
    n: str | None = _Base64Url
    e: str | None = _Base64Url
    x: str | None = _Base64Url
    y: str | None = _Base64Url
    d: object = None
    k: object = None

    def is_for(self, algorithm: str) -> bool:
        """Whether signatures of this algorithm may be checked with it."""
        meant = self.use in {None, "sig"} and (self.key_ops is None or "verify" in self.key_ops)
        public = self.d is None and self.k is None
        fits = (self.kty, self.crv) == _KEY_TYPES[algorithm] and self.alg in {None, algorithm}
        return meant and public and fits and (self.kty != "RSA" or self._is_sound_rsa())

    def _is_sound_rsa(self) -> bool:
        modulus, exponent = _number(self.n), _number(self.e)
        long_enough = modulus.bit_length() in _RSA_BITS and modulus % 2 == 1
        fair = exponent % 2 == 1 and _LEAST_EXPONENT <= exponent <= _MOST_EXPONENT
        return long_enough and fair and not has_roca_fingerprint(modulus)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that an issuer publishes, as far as they are any."""

    keys: tuple[Jwk, ...]

    @classmethod
    def from_json(cls, content: bytes) -> "KeySet":
        """The keys of a JWK Set; members that are no key of ours are passed over (RFC 7517 §5).

        Raises:
            ValueError: it is no JWK Set, or has over a hundred keys.
        """
        members = _key_set.validate_json(content)
        if len(members.keys) > MAX_KEYS:
            raise ValueError("the key set is too large")
        return cls(tuple(key for member in members.keys if (key := _jwk(member)) is not None))

    def key(self, kid: str, algorithm: str) -> Jwk | None:
        """The key of this id; None if there is none for this algorithm, or more than one of the id."""
        of_that_name = [key for key in self.keys if key.kid == kid]
        return of_that_name[0] if len(of_that_name) == 1 and of_that_name[0].is_for(algorithm) else None


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token that is not checked yet: which key it names, and for which algorithm."""

    text: str
    kid: str
    algorithm: str

    @classmethod
    def read(cls, text: str) -> "SignedToken":
        """The token.

        Raises:
            TokenRefused: it is too long, no compact JWS, or of no algorithm or type that is accepted here.
        """
        if len(text) > MAX_TOKEN_BYTES:
            raise TokenRefused("too_long")
        header = _header(text)
        if header.alg not in _KEY_TYPES:
            raise TokenRefused("algorithm")
        if (header.typ.lower() if header.typ else None) not in _TYPES:
            raise TokenRefused("type")
        if header.crit is not None or header.b64 is not None:  # RFC 7515 §4.1.11: we understand no extension
            raise TokenRefused("extension")
        return cls(text, header.kid, header.alg)

    def payload(self, keys: KeySet) -> bytes:
        """What is signed.

        Raises:
            TokenRefused: there is no such key, or the signature is not by it.
        """
        key = keys.key(self.kid, self.algorithm)
        if key is None:
            raise TokenRefused("unknown_key")
        try:
            checked = PyJWK(key.model_dump(include=_PUBLIC, exclude_none=True), self.algorithm)
            payload: bytes = _jws.decode_complete(self.text, checked, [self.algorithm])["payload"]
        except (PyJWTError, ValueError, TypeError):  # a key that is none, a point that is not on its curve
            raise TokenRefused("signature") from None
        return payload


class _KeySet(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    keys: list[object]


_PUBLIC: Final = {"kty", "crv", "n", "e", "x", "y"}
_key_set: Final = TypeAdapter(_KeySet)
_jws: Final = PyJWS(ALGORITHMS, {"enforce_minimum_key_length": True})


def _header(text: str) -> _Header:
    compact = _COMPACT.fullmatch(text)
    if compact is None:
        raise TokenRefused("not_compact")
    try:
        return _Header.model_validate(json.loads(_bytes(compact[1]), object_pairs_hook=unique))
    except (ValidationError, ValueError, RecursionError):
        raise TokenRefused("header") from None


def _jwk(member: object) -> Jwk | None:
    try:
        return Jwk.model_validate(member)
    except ValidationError:
        return None


def _number(text: str | None) -> int:
    try:
        return int.from_bytes(_bytes(text or ""))
    except ValueError:
        return 0


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
