"""What may stand in settings as the address of a source."""

import ipaddress
from urllib.parse import SplitResult, urlsplit


def checked_url(url: str) -> str:
    """A whole http or https address without user, query and fragment; its path is at least `/`.

    Raises:
        ValueError: it is none; what to give instead.
    """
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("give a whole address such as https://dav.example.com/")
    if parts.username or parts.password:
        raise ValueError("leave user name and password out of the address; they have settings of their own")
    if parts.query or parts.fragment:
        raise ValueError("the address must have no ? and no #")
    return url if parts.path else url + "/"


def checked_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Names of hosts, or `.example.com` for all below it; never a whole top-level domain.

    Raises:
        ValueError: one is none of these.
    """
    for host in hosts:
        if "." not in host.strip(".") or "/" in host or ":" in host:
            raise ValueError("name hosts such as dav.example.com, or .example.com for all below it")
    return hosts


def is_unprotected(url: str) -> bool:
    """Whether everyone on the way to `url` could read what is sent."""
    parts = _split(url)
    return parts.scheme == "http" and not _is_this_machine(parts.hostname or "")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("this is no address") from None
    return parts


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
