"""Secret references: what stands in a connection, or in a setting, instead of a password or token.

`env:NAME` is an environment variable, `file:/path` a file whose one trailing line end is dropped, `vault:path#field` a
field of a secret in Vault or OpenBao (KV version 2), `aws-sm:name#field` one in AWS Secrets Manager, where without
`#field` the secret's whole text is meant. Errors repeat neither the reference nor the secret: a person may have typed
the one where the other belongs. Nothing is kept: each use reads the secret anew, so that a renewed one is heard.
"""

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from contactsync.errors import SecretUnavailable, SettingsError

MAX_SECRET_BYTES: Final = 64 * 1024
EXAMPLES: Final = "env:NAME, file:/PATH, vault:PATH#FIELD or aws-sm:NAME#FIELD"
"""The forms of a reference, for people."""

_SEGMENT: Final = r"(?!\.{1,2}(?:[/#]|$))[A-Za-z0-9_.@+=~-]+"
_ENV: Final = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_FILE: Final = re.compile(r"file:(/.+)")
_STORED: Final = MappingProxyType(
    {
        "vault": re.compile(rf"vault:({_SEGMENT}(?:/{_SEGMENT})+)#([A-Za-z0-9_.-]{{1,128}})"),
        "aws-sm": re.compile(r"aws-sm:([A-Za-z0-9/_+=.@:-]{1,512})(?:#([A-Za-z0-9_.-]{1,128}))?"),
    }
)
_NOT_READ: Final = "the environment variable that holds the secret is not set"
_NO_FILE: Final = "the file that holds the secret cannot be read"


class SecretStore(Protocol):
    """A place outside this machine where secrets are kept."""

    async def read(self, name: str, field: str) -> str:
        """One field of a secret; "" stands for the secret's whole text.

        Raises:
            SecretUnavailable: it is not there, may not be read, or the store does not answer.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


OpenStore = Callable[[], SecretStore]
"""Reaches a store; raises SettingsError where the settings do not say how."""


def check_reference(reference: str) -> None:
    """Says whether a reference is well formed; what it names need not be there yet.

    Raises:
        SettingsError: it is of no known form.
    """
    forms = (_ENV, _FILE, *_STORED.values())
    if not any(form.fullmatch(reference) for form in forms):
        raise SettingsError(f"a secret is named as {EXAMPLES}; the secret itself is never given")


class Secrets:
    """Resolves references. `stores`: how to reach those that are asked for by `vault:` and `aws-sm:`.

    A store is opened when it is first needed, and belongs to the event loop then; `close` them at the end.
    """

    def __init__(self, stores: Mapping[str, OpenStore] = MappingProxyType({})) -> None:
        self._how = stores
        self._opened: dict[str, SecretStore] = {}

    async def resolve(self, reference: str) -> str:
        """The secret that `reference` names, at most 64 KiB of text.

        Raises:
            SettingsError: the reference is malformed, or the settings do not say how to reach its store.
            SecretUnavailable: there is no such secret, it is empty or too large, or its store does not answer.
        """
        check_reference(reference)
        if name := _ENV.fullmatch(reference):
            return _sound(os.environ.get(name[1], ""), _NOT_READ)
        if path := _FILE.fullmatch(reference):
            return _sound(await asyncio.to_thread(_content, Path(path[1])), _NO_FILE)
        kind = reference.partition(":")[0]
        found = _STORED[kind].fullmatch(reference)
        assert found is not None  # noqa: S101  # it was checked above
        return _sound(await self._store(kind).read(found[1], found[2] or ""), "the secret's field is empty")

    async def close(self) -> None:
        """Let go of the stores; a later `resolve` opens them anew."""
        opened, self._opened = self._opened, {}
        for store in opened.values():
            await store.close()

    def _store(self, kind: str) -> SecretStore:
        if kind not in self._opened:
            if kind not in self._how:
                raise SettingsError("this process reads secrets from the environment and from files only")
            self._opened[kind] = self._how[kind]()
        return self._opened[kind]


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 3)  # its line end is no part of it
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError):
        raise SecretUnavailable(_NO_FILE) from None


def _sound(secret: str, otherwise: str) -> str:
    if not secret:
        raise SecretUnavailable(otherwise)
    try:
        size = len(secret.encode())
    except UnicodeEncodeError:
        raise SecretUnavailable("the secret is no text") from None
    if size > MAX_SECRET_BYTES:
        raise SecretUnavailable("the secret is too large to be a password or token")
    return secret
