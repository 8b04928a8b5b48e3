"""Options that several commands share, and how their values are read."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from contactsync.activities.contacts.contact import Fields

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
TenantOption = Annotated[str, typer.Option("--tenant", metavar="ID", help="The tenant: its id, or the start of it.")]
TenantArgument = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id, or the start of it.")]
ConnectionArgument = Annotated[
    str, typer.Argument(metavar="CONNECTION", help="The connection's id, or the start of it.")
]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)([smhd]?)", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """`90s`, `15m`, `2h`, `1d`; a bare number is seconds.

    Raises:
        typer.BadParameter: it is none of these, or is zero.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise typer.BadParameter("give a time such as 90s, 15m, 2h or 1d")
    try:
        return timedelta(seconds=int(match[1]) * _UNITS[match[2] or "s"])
    except OverflowError:
        raise typer.BadParameter("give a shorter time") from None


def parse_when(text: str, now: datetime) -> datetime:
    """A time in the past: `2026-03-01`, `2026-03-01T12:00:00Z`, or so long ago, `30d`; without a zone it is UTC.

    Raises:
        typer.BadParameter: it is none of these, or lies in the future.
    """
    try:
        when = now - parse_duration(text) if _DURATION.fullmatch(text.strip()) else datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise typer.BadParameter("give a date such as 2026-03-01, a time, or how long ago, such as 30d") from None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    if when > now:
        raise typer.BadParameter("give a time in the past")
    return when


def show_duration(length: timedelta | None) -> str | None:
    """A length of time as people read it: the two largest units, `1h 05m`, `42s`."""
    if length is None:
        return None
    seconds = int(length.total_seconds())
    for unit, size, below, step in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // step:02d}{below}"
    return f"{seconds}s"


def parse_settings(pairs: list[str]) -> dict[str, object]:
    """`key=value` options as a source's settings; a value in brackets is read as JSON, every other is text.

    Raises:
        typer.BadParameter: one has no `=`, is given twice, or is no JSON.
    """
    settings: dict[str, object] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise typer.BadParameter("give each setting as key=value", param_hint="--set")
        if key in settings:
            raise typer.BadParameter(f"{key} is given twice", param_hint="--set")
        settings[key] = _value(key, value)
    return settings


def _value(key: str, text: str) -> object:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise typer.BadParameter(f"{key} begins like JSON and is none", param_hint="--set") from None


def parse_region(text: str) -> str:
    """A country by its two letters (ISO 3166-1), as phone numbers know it.

    Raises:
        typer.BadParameter: there is no such country.
    """
    from phonenumbers import SUPPORTED_REGIONS

    region = text.strip().upper()
    if region not in SUPPORTED_REGIONS:
        raise typer.BadParameter("give a country as two letters, such as DE", param_hint="--region")
    return region


def parse_fields(text: str) -> "Fields":
    """Field names separated by commas.

    Raises:
        typer.BadParameter: one is not known, or there is none.
    """
    from contactsync.activities.contacts.contact import Field

    names = [name.strip() for name in text.split(",") if name.strip()]
    known = {field.value: field for field in Field}
    if not names or any(name not in known for name in names):
        raise typer.BadParameter(f"choose from {', '.join(known)}", param_hint="--fields")
    return frozenset(known[name] for name in names)
