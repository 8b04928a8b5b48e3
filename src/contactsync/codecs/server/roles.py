"""What a signed-in person or program may do, from the claims of its token.

| role | sees | of |
|---|---|---|
| `operator`, `operator:{tenant}` | masked | every tenant, or the one named |
| `reader:{tenant}`, `reader` | masked; whole with a reason | the tenant named; those of the tenants claim |
| `privacy` | masked; whole with a reason | every tenant |
| `encoder:{tenant}`, `encoder` | nothing; may seal | the tenant named; those of the tenants claim |
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from uuid import UUID

Claims = Mapping[str, object]

MAX_ROLES: Final = 1_000
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Tenants:
    """Some tenants, or every one."""

    some: frozenset[UUID] = frozenset()
    every: bool = False

    def __contains__(self, tenant_id: UUID) -> bool:
        return self.every or tenant_id in self.some

    def __or__(self, other: "Tenants") -> "Tenants":
        return Tenants(self.some | other.some, self.every or other.every)


NOBODY: Final = Tenants()
EVERYBODY: Final = Tenants(every=True)


@dataclass(frozen=True, slots=True)
class Grants:
    """Of which tenants somebody sees payloads masked, sees them whole with a reason, and may seal.

    `weak`: they have roles, but signed in with less than is required, so that they see nothing.
    """

    masked: Tenants = NOBODY
    whole: Tenants = NOBODY
    encode: Tenants = NOBODY
    weak: bool = False


@dataclass(frozen=True, slots=True)
class RoleRules:
    """Where in a token roles stand, and what a sign-in has to be.

    Args:
        roles_claim: name of the claim with the roles, or its path with dots (`realm_access.roles`): a list of texts, or
            one text with spaces between (as `scope`).
        tenants_claim: the same for the tenants that `reader` and `encoder` without a tenant stand for.
        prefix: what a role's name begins with in the token.
        acr: sign-in classes one of which is required to see anything (OpenID Connect Core §2); empty: any.
        amr: sign-in methods one of which is required to see anything (RFC 8176), such as `mfa`; empty: any.
    """

    roles_claim: str = "roles"
    tenants_claim: str = "tenants"
    prefix: str = ""
    acr: frozenset[str] = field(default_factory=frozenset[str])
    amr: frozenset[str] = field(default_factory=frozenset[str])

    def grants(self, claims: Claims) -> Grants:
        """What these claims, whose signature is proved, entitle to; names that are no role count for nothing."""
        named = frozenset(_uuids(_texts(_found(claims, self.tenants_claim))))
        texts = _texts(_found(claims, self.roles_claim))
        roles = [text.removeprefix(self.prefix) for text in texts if text.startswith(self.prefix)]
        return self._checked(_granted(roles, named), claims)

    def _checked(self, grants: Grants, claims: Claims) -> Grants:
        """Seeing takes the required sign-in; programs that only seal have none."""
        strong = _meets(self.acr, claims.get("acr")) and _meets(self.amr, claims.get("amr"))
        if strong or grants.masked == NOBODY:
            return grants
        return Grants(encode=grants.encode, weak=True)


def _granted(roles: Iterable[str], named: frozenset[UUID]) -> Grants:
    operator = reader = encoder = NOBODY
    for role in roles:
        name, colon, tenant = role.partition(":")
        those = Tenants(frozenset(_uuids([tenant])) if colon else named)
        if name == "operator":
            operator |= those if colon else EVERYBODY
        elif name == "reader":
            reader |= those
        elif name == "encoder":
            encoder |= those
        elif role == "privacy":
            reader = EVERYBODY
    return Grants(operator | reader, reader, encoder)


def _found(claims: Claims, name: str) -> object:
    """The claim of this very name (they may be URLs), or at this path."""
    return claims[name] if name in claims else _at(claims, name.split("."))


def _at(value: object, path: Sequence[str]) -> object:
    for part in path:
        if not isinstance(value, Mapping):
            return None
        value = cast("Claims", value).get(part)
    return value


def _texts(value: object) -> list[str]:
    """A list's texts, or the words of one text; a thousand at most."""
    if isinstance(value, str):
        return value.split()[:MAX_ROLES]
    if isinstance(value, list):
        return [item for item in cast("list[object]", value)[:MAX_ROLES] if isinstance(item, str)]
    return []


def _meets(wanted: frozenset[str], value: object) -> bool:
    return not wanted or not wanted.isdisjoint(_texts(value))


def _uuids(texts: Iterable[str]) -> Iterable[UUID]:
    """Those that are UUIDs in their usual form."""
    for text in texts:
        if _UUID.fullmatch(text):
            yield UUID(text)
