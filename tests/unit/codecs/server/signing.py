"""An issuer in memory: its keys, its documents, its tokens."""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from contactsync.codecs.server.issuer import DISCOVERY_PATH, IssuerUnavailable

ISSUER: Final = "https://issuer.example.com/realm"
JWKS: Final = f"{ISSUER}/keys"
AUDIENCE: Final = "contactsync-codec"
NOW: Final = 1_800_000_000


class SigningKey:
    """A P-256 key and its public JWK."""

    def __init__(self, kid: str | None = None) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.kid = kid or uuid4().hex
        public: dict[str, Any] = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        self.jwk = {**public, "kid": self.kid, "use": "sig", "alg": "ES256"}

    def token(self, claims: Mapping[str, object] | None = None, **header: object) -> str:
        """A token with the usual claims, but for these; None leaves one out."""
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "exp": NOW + 600, "iat": NOW}
        content = {name: value for name, value in {**usual, **(claims or {})}.items() if value is not None}
        headers = {"kid": self.kid, "typ": "at+jwt", **header}
        return jwt.encode(content, self.private, "ES256", {k: v for k, v in headers.items() if v is not None})


def segment(value: object) -> str:
    """A part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key: SigningKey, header: object, payload: object) -> str:
    """A token with this very header and payload, and a right signature."""
    message = f"{segment(header)}.{segment(payload)}"
    return f"{message}.{segment(ECAlgorithm(ECAlgorithm.SHA256).sign(message.encode(), key.private))}"


class Published:
    """What the issuer answers, and how often it was asked; `down`: it does not answer."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self.keys = list(keys)
        self.configuration: dict[str, object] = {"issuer": ISSUER, "jwks_uri": JWKS}
        self.key_set: bytes | None = None
        self.asked: list[str] = []
        self.down = False

    async def fetch(self, url: str) -> bytes:
        """A `Fetch`."""
        self.asked.append(url)
        await asyncio.sleep(0)  # as a network does, it lets others go on meanwhile
        if self.down:
            raise IssuerUnavailable
        if url == ISSUER + DISCOVERY_PATH:
            return json.dumps(self.configuration).encode()
        assert url == JWKS
        return self.key_set or json.dumps({"keys": [key.jwk for key in self.keys]}).encode()
