"""Addresses that keys travel to: https, or this machine itself."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from contactsync.errors import SettingsError


def checked_endpoint(address: str, what: str) -> str:
    """`https://host` or `https://host:port` as it was given, without a slash at its end. `what` is named in errors.

    Raises:
        SettingsError: it is no such address, or plain http to another machine.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _unusable(what) from None
    bare = f"[{host}]" if host and ":" in host else host
    netloc = bare if port is None else f"{bare}:{port}"
    if parts.scheme not in {"http", "https"} or not host or parts.netloc.lower() != netloc:
        raise _unusable(what)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise _unusable(what)
    if parts.scheme == "http" and not _is_this_machine(host):
        raise SettingsError(f"keys and tokens travel to {what} by https only, unless it is on this machine itself")
    return f"{parts.scheme}://{netloc}"


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unusable(what: str) -> SettingsError:
    return SettingsError(f"the address of {what} is not usable; give https://host:port and nothing behind it")
