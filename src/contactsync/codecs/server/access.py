"""Who may use the codec server."""

from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import ip_address
from typing import ClassVar, Final, Protocol

from contactsync.codecs.server.roles import EVERYBODY, Grants
from contactsync.errors import SettingsError

MAX_TOKEN_BYTES: Final = 8 * 1024
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who was let in. `subject` is an opaque id for the audit log; `grants` is what they may do."""

    subject: str
    grants: Grants


class Access(Protocol):
    """Decides who is let in. Embedded: whoever is on this machine; otherwise one bearer token, or an issuer's."""

    on_loopback_only: ClassVar[bool]
    """Whether it lets in whoever can connect, so that nobody else must be able to."""

    async def operator(self, headers: Mapping[str, str]) -> Operator | None:
        """Who sent these headers (names in lower case); None: nobody we know.

        Raises:
            ContactSyncError: that cannot be said now.
        """
        ...


class LoopbackAccess:
    """Whoever is on this machine, masked only: Temporal Web sends no token over http."""

    on_loopback_only: ClassVar[bool] = True

    async def operator(self, headers: Mapping[str, str]) -> Operator | None:  # noqa: ARG002  # whatever they are
        """Always the same one."""
        return Operator("loopback", Grants(masked=EVERYBODY))


class TokenAccess:
    """Whoever sends the bearer token (RFC 6750): masked only, for it is nobody's in particular."""

    on_loopback_only: ClassVar[bool] = False

    def __init__(self, token: str) -> None:
        """Raises SettingsError: the token is empty, too long or no ASCII text without spaces."""
        if not token.isascii() or not 0 < len(token) <= MAX_TOKEN_BYTES or any(c.isspace() for c in token):
            raise SettingsError("the codec server's token must be ASCII text without spaces, 8 KiB at most")
        self._expected = b"Bearer " + token.encode()

    async def operator(self, headers: Mapping[str, str]) -> Operator | None:
        """The operator, if the token is right; compared in constant time."""
        given = headers.get("authorization", "").encode("latin-1", "replace")
        if len(given) > MAX_TOKEN_BYTES + len(b"Bearer ") or not compare_digest(given, self._expected):
            return None
        return Operator("token", Grants(masked=EVERYBODY, encode=EVERYBODY))


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine only."""
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_bind(host: str, access: Access, *, tls: bool, behind_proxy: bool) -> None:
    """Refuse to listen where payloads or tokens would travel in clear.

    Args:
        host: the address to listen on.
        access: who is let in.
        tls: the server has a certificate of its own.
        behind_proxy: somebody says that a proxy in front does the TLS.

    Raises:
        SettingsError: not loopback, and no token, or neither TLS nor a proxy.
    """
    if is_loopback(host):
        return
    if access.on_loopback_only:
        raise SettingsError("without a token the codec server listens on this machine only; set its token file")
    if not tls and not behind_proxy:
        raise SettingsError(
            "the codec server listens beyond this machine only with TLS: set its certificate and key, or say that a "
            "proxy in front of it does the TLS"
        )
