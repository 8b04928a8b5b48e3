"""Which addresses a source may be at: what a tenant types must not lead into the platform's own networks.

Every address that a name resolves to is looked at, and the connection goes to one of those that were: a name that
means another address a moment later (DNS rebinding) leads nowhere else.
"""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from contactsync.errors import AddressForbidden, SettingsError, SourceAddressWrong, SourceUnavailable

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

RESOLVE_SECONDS: Final = 15.0

# IANA's special-purpose registries (RFC 6890), and what clouds answer their metadata and platform services at. Written
# down here, since what `ipaddress` calls global is not the same in every version of Python.
_FORBIDDEN_4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers; Alibaba's metadata is in it
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's platform services
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata is in it
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_6: Final = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 that is given out for the Internet (RFC 4291 §2.4); local, link-local, multicast, mapped and
NAT64 addresses are all outside of it."""
_FORBIDDEN_6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: leads to the IPv4 address inside it
        "3fff::/20",
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class AddressRules:
    """`allowed`: networks (CIDR) that may be reached although they are private, loopback, link-local or the like."""

    allowed: tuple[str, ...] = ()

    def allow(self, address: str) -> bool:
        """Whether a source may be at this address, written as numbers; False too where it is none.

        Raises:
            SettingsError: an allowed network is no network.
        """
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return self._allow(parsed)

    def _allow(self, address: Address) -> bool:
        inner = _inner(address)
        if inner is not None and not self._allow(inner):
            return False
        return _is_public(address) or any(address in network for network in networks_of(self.allowed))


ANY_LOOPBACK: Final = AddressRules(("127.0.0.0/8", "::1/128"))
"""For sources on this machine: the embedded stack, the simulator and tests."""


@lru_cache(maxsize=32)
def networks_of(allowed: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks of a setting.

    Raises:
        SettingsError: one of them is none.
    """
    try:
        return tuple(ipaddress.ip_network(network) for network in allowed)
    except ValueError:
        raise SettingsError(
            "the allowed source networks are not usable; they look like 10.20.0.0/16 or fd00:1::/64, with no bits "
            "set beyond the prefix"
        ) from None


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _FORBIDDEN_4)
    return address in _GLOBAL_6 and not any(address in network for network in _FORBIDDEN_6)


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: allowing the outer does not allow the inner."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


async def resolved(host: str, port: int, rules: AddressRules) -> tuple[str, ...]:
    """The addresses of a host, all of which the rules allow, in the order in which to try them.

    Raises:
        AddressForbidden: one of them is not allowed, so none is used.
        SourceAddressWrong: this can be no host.
        SourceUnavailable: the name is not known, or nobody tells.
    """
    addresses = await _look_up(host, port)
    if not all(rules.allow(address) for address in addresses):
        raise AddressForbidden
    return addresses


async def _look_up(host: str, port: int) -> tuple[str, ...]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise SourceAddressWrong from None
    except OSError:  # TimeoutError and gaierror are among them
        raise SourceUnavailable from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise SourceUnavailable
    return addresses
