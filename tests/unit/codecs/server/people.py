"""Operators with roles, known by their tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from tests.unit.codecs.server.asking import OTHER, TENANT

from contactsync.codecs.server.access import Operator
from contactsync.codecs.server.roles import EVERYBODY, Grants, Tenants


def of(*tenants: UUID) -> Tenants:
    """These tenants."""
    return Tenants(frozenset(tenants))


PEOPLE = {
    "operator": Grants(EVERYBODY),
    "reader": Grants(of(TENANT), of(TENANT)),
    "operator-and-reader": Grants(EVERYBODY, of(TENANT)),
    "privacy": Grants(EVERYBODY, EVERYBODY),
    "encoder": Grants(encode=of(OTHER)),
    "weak": Grants(weak=True),
    "nobody": Grants(),
}


@dataclass
class People:
    """An `Access`: a bearer token is the name of one of `PEOPLE`."""

    on_loopback_only: ClassVar[bool] = False
    grants: Mapping[str, Grants] = field(default_factory=lambda: PEOPLE)

    async def operator(self, headers: Mapping[str, str]) -> Operator | None:
        """See `Access`."""
        name = headers.get("authorization", "").removeprefix("Bearer ")
        return Operator(f"oidc/{name}", self.grants[name]) if name in self.grants else None


def as_(name: str, **headers: str) -> dict[str, str]:
    """The headers that somebody sends."""
    return {"x-namespace": "default", "authorization": f"Bearer {name}", **headers}
