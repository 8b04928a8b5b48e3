"""Access by the tokens of an OpenID provider: signed JWTs (RFC 9068, or older ones without a type) as bearer tokens."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contactsync.codecs.server.access import Operator
from contactsync.codecs.server.issuer import IssuerKeys
from contactsync.codecs.server.jose import KeySet, SignedToken, TokenRefused
from contactsync.codecs.server.limits import no_constant, unique
from contactsync.codecs.server.roles import RoleRules
from contactsync.errors import SettingsError

LEEWAY_SECONDS: Final = 30.0
"""How far the issuer's clock may be off."""

REMEMBERED: Final = 4_096
"""Tokens whose check is remembered: the `temporal` command sends the same one with each of hundreds of requests."""


@dataclass(frozen=True, slots=True)
class OidcRules:
    """Whose tokens are taken (`issuer`), if they are for us (`audience`), and what they entitle to."""

    issuer: str
    audience: str
    roles: RoleRules = field(default_factory=RoleRules)

    def __post_init__(self) -> None:
        if not self.audience:
            raise SettingsError("tokens of any audience would be let in; set the audience of the codec server's")


class OidcAccess:
    """Whoever sends a token that the issuer signed for our audience."""

    on_loopback_only: ClassVar[bool] = False

    def __init__(self, rules: OidcRules, keys: IssuerKeys, clock: Callable[[], datetime] | None = None) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock or (lambda: datetime.now(UTC))
        self._remembered: OrderedDict[bytes, _Checked] = OrderedDict()

    def __len__(self) -> int:
        """How many tokens' checks are remembered."""
        return len(self._remembered)

    async def operator(self, headers: Mapping[str, str]) -> Operator | None:
        """Who sent the token, with what it entitles to, which may be nothing; None: there is no token to trust.

        Raises:
            IssuerUnavailable: the issuer's keys cannot be had.
        """
        scheme, _, text = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            return None
        try:
            return await self._let_in(text)
        except TokenRefused as refused:
            structlog.get_logger().info("codec server refused a token", code=refused.code)
            return None

    async def _let_in(self, text: str) -> Operator:
        name = hashlib.sha256(text.encode()).digest()
        known = self._remembered.get(name)
        if known is not None and known.keys is await self._keys.current():
            self._remembered.move_to_end(name)
            known.claims.check_times(self._now())
            return known.operator
        checked = await self._checked(text)
        self._remembered[name] = checked
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return checked.operator

    async def _checked(self, text: str) -> "_Checked":
        token = SignedToken.read(text)
        keys = await self._keys.knowing(token.kid)
        content, claims = _claims(token.payload(keys))
        claims.check(self._rules)
        claims.check_times(self._now())
        subject = hashlib.sha256((self._rules.issuer + claims.sub).encode()).hexdigest()[:16]
        return _Checked(Operator(f"oidc/{subject}", self._rules.roles.grants(content)), claims, keys)

    def _now(self) -> float:
        return self._clock().timestamp()


class _Claims(BaseModel):
    """The claims that every token must have (RFC 7519 §4.1, RFC 9068 §2.2); times in seconds since 1970."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    iss: str
    aud: str | list[str]
    sub: str = Field(min_length=1, max_length=255)
    exp: float
    iat: float
    nbf: float | None = None

    def check(self, rules: OidcRules) -> None:
        """Raises TokenRefused: it is another issuer's, or for somebody else."""
        if self.iss != rules.issuer:
            raise TokenRefused("issuer")
        if rules.audience not in ([self.aud] if isinstance(self.aud, str) else self.aud):
            raise TokenRefused("audience")

    def check_times(self, now: float) -> None:
        """Raises TokenRefused: it is over, or does not hold yet."""
        if now >= self.exp + LEEWAY_SECONDS:
            raise TokenRefused("expired")
        if max(self.iat, self.nbf or self.iat) > now + LEEWAY_SECONDS:
            raise TokenRefused("not_yet")


@dataclass(frozen=True, slots=True)
class _Checked:
    """A token that was checked, and under which keys: once the issuer has others it is checked again."""

    operator: Operator
    claims: _Claims
    keys: KeySet


def _claims(payload: bytes) -> tuple[dict[str, object], _Claims]:
    try:
        content: dict[str, object] = json.loads(payload, object_pairs_hook=unique, parse_constant=no_constant)
        return content, _Claims.model_validate(content)
    except (ValidationError, ValueError, RecursionError):
        raise TokenRefused("claims") from None
