"""Secret references: what stands in a connection instead of a password or token.

`env:NAME` is an environment variable, `file:/path` a file whose one trailing line end is dropped. Errors repeat
neither the reference nor the secret: a person may have typed the one where the other belongs.
"""

import os
import re
from pathlib import Path
from typing import Final

from contactsync.errors import SecretUnavailable, SettingsError

MAX_SECRET_BYTES: Final = 64 * 1024

_ENV: Final = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_FILE: Final = re.compile(r"file:(/.+)")


def check_reference(reference: str) -> None:
    """Says whether a reference is well formed; what it names need not be there yet.

    Raises:
        SettingsError: it is of neither form.
    """
    if not _ENV.fullmatch(reference) and not _FILE.fullmatch(reference):
        raise SettingsError("a secret is named as env:NAME or file:/absolute/path; the secret itself is never given")


def resolve(reference: str) -> str:
    """The secret that `reference` names.

    Raises:
        SettingsError: the reference is malformed.
        SecretUnavailable: the variable or file is missing, empty or unreadable.
    """
    check_reference(reference)
    if name := _ENV.fullmatch(reference):
        return _from_environment(name[1])
    return _from_file(Path(reference.removeprefix("file:")))


def _from_environment(name: str) -> str:
    secret = os.environ.get(name, "")
    if not secret:
        raise SecretUnavailable("the environment variable that holds the connection's secret is not set")
    return secret


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        secret = content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError):
        raise SecretUnavailable("the file that holds the connection's secret cannot be read") from None
    if not secret or len(content) > MAX_SECRET_BYTES:
        raise SecretUnavailable("the file that holds the connection's secret is empty or too large")
    return secret
