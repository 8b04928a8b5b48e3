"""Which addresses a source may be at: what a tenant types must not lead into the platform's own networks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddressRules:
    """`allowed`: networks (CIDR) that may be reached although they are private, loopback, link-local or the like."""

    allowed: tuple[str, ...] = ()
