"""A source's settings from a TOML file."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import TypeGuard

from contactsync.errors import SettingsError

MAX_FILE_BYTES = 256 * 1024

_PLACE = re.compile(r"line \d+, column \d+")


def read_settings(path: Path) -> dict[str, object]:
    """The file's tables in JSON's types; days and times become text.

    Raises:
        SettingsError: it cannot be read or is no TOML; the place is told, and nothing of the content.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        raise SettingsError("the settings file cannot be read; check that it is there and readable") from None
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError(f"the settings file is longer than {MAX_FILE_BYTES // 1024} KiB")
    try:
        return _table(tomllib.loads(content.decode()))
    except UnicodeDecodeError:
        raise SettingsError("the settings file is no TOML: it is not in UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = _PLACE.search(str(error))
        raise SettingsError(f"the settings file is no TOML: see {place[0] if place else 'its end'}") from None


def _table(table: Mapping[str, object]) -> dict[str, object]:
    return {name: _plain(value) for name, value in table.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if _is_table(value):
        return _table(value)
    return [_plain(each) for each in value] if _is_array(value) else value


def _is_table(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_array(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
