"""A sample CardDAV server: Radicale, in a process of its own, with a user for each tenant of the demo.

Radicale is licensed under the GPL: it is only ever run, never imported.
"""

import asyncio
import secrets
import sys
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx

from contactsync.errors import SettingsError, SourceMisbehaved
from contactsync.workers.embedded.folders import make_folder, write_private
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.processes import Child, Command, plain_environment

BOOK = "contacts"
READY_SECONDS = 60.0
_WRITERS = 8
_CARD_HEADERS = {"content-type": "text/vcard; charset=utf-8"}
_MKCOL = (
    '<d:mkcol xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:set><d:prop><d:resourcetype>'
    "<d:collection/><c:addressbook/></d:resourcetype></d:prop></d:set></d:mkcol>"
)


@dataclass(frozen=True, slots=True)
class Put:
    """Create or replace a card."""

    href: str
    vcard: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a card."""

    href: str


@dataclass(frozen=True, slots=True)
class Move:
    """Give a card another file name; for CardDAV that is one card gone and another come."""

    href: str
    to: str


Edit = Put | Delete | Move


@dataclass(frozen=True, slots=True)
class CardDavServer:
    """A running server. Each user has one address book; `password_file(user)` holds the password."""

    folder: Path
    port: int
    child: Child

    @classmethod
    async def start(cls, folder: Path, users: Iterable[str]) -> "CardDavServer":
        """Start it with these users and their empty address books.

        Raises:
            SettingsError: Radicale is not installed.
        """
        if find_spec("radicale") is None:
            raise SettingsError("radicale is not installed; the demo needs: pip install 'contactsync[embedded]'")
        make_folder(folder)
        passwords = {user: secrets.token_urlsafe() for user in users}
        for user, password in passwords.items():
            write_private(_password_file(folder, user), password)
        write_private(_users_file(folder), "".join(f"{user}:{secret}\n" for user, secret in passwords.items()))
        server = await _started(folder)
        for user in passwords:
            await server._make_book(user)
        return server

    async def stop(self) -> None:
        """Stop it."""
        await self.child.stop()

    @property
    def url(self) -> str:
        """Where discovery starts."""
        return f"http://{LOOPBACK}:{self.port}/"

    def password_file(self, user: str) -> Path:
        """The file with a user's password."""
        return _password_file(self.folder, user)

    async def apply(self, user: str, edits: Sequence[Edit]) -> None:
        """Do these edits to the user's address book, each card's in their order.

        Raises:
            SourceMisbehaved: the server refused one.
        """
        lanes: list[list[Edit]] = [[] for _ in range(_WRITERS)]
        for edit in edits:
            lanes[hash(edit.href) % _WRITERS].append(edit)
        async with self._signed_in(user) as http, asyncio.TaskGroup() as writers:
            for lane in lanes:
                writers.create_task(_write(http, lane))

    async def _make_book(self, user: str) -> None:
        async with self._signed_in(user) as http:
            _check(await http.request("MKCOL", "", content=_MKCOL, headers={"content-type": "application/xml"}))

    @asynccontextmanager
    async def _signed_in(self, user: str) -> AsyncGenerator[httpx.AsyncClient]:
        password = self.password_file(user).read_text()
        base = f"{self.url}{user}/{BOOK}/"
        async with httpx.AsyncClient(base_url=base, auth=(user, password), trust_env=False) as http:
            yield http


async def _write(http: httpx.AsyncClient, edits: Iterable[Edit]) -> None:
    for edit in edits:
        match edit:
            case Put():
                _check(await http.put(edit.href, content=edit.vcard.encode(), headers=_CARD_HEADERS))
            case Delete():
                _check(await http.delete(edit.href))
            case Move():
                destination = str(http.base_url.join(edit.to))
                _check(await http.request("MOVE", edit.href, headers={"destination": destination}))


def _check(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise SourceMisbehaved(f"the sample CardDAV server answered {answer.status_code} to an edit of the demo")


async def _started(folder: Path) -> CardDavServer:
    port = free_port()
    options = {
        "--config": "",
        "--server-hosts": f"{LOOPBACK}:{port}",
        "--auth-type": "htpasswd",
        "--auth-htpasswd-filename": str(_users_file(folder)),
        "--auth-htpasswd-encryption": "plain",
        "--auth-delay": "0",
        "--rights-type": "owner_only",
        "--storage-filesystem-folder": str(folder / "collections"),
    }
    command = Command(
        argv=(sys.executable, "-m", "radicale", *(word for option in options.items() for word in option)),
        log=folder / "carddav.log",
        cwd=folder,
        env=plain_environment(folder),
    )
    child = await Child.start(command)
    server = CardDavServer(folder, port, child)
    try:
        await child.until(lambda: _answers(server.url), READY_SECONDS)
    except BaseException:
        await child.stop()
        raise
    return server


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            await http.request("OPTIONS", url)
        except httpx.HTTPError:
            return False
    return True


def _password_file(folder: Path, user: str) -> Path:
    return folder / f"{user}.password"


def _users_file(folder: Path) -> Path:
    return folder / "users"
