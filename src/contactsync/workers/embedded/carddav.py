"""Radicale, a real CardDAV server, as a separate process: for the demo and for tests.

It is licensed under the GPL and only ever run, never imported. It answers a PUT in time proportional to the address
book (a thousand cards take minutes), so cards are edited in its storage, under its own lock, as its manual provides
for ("Locking"): CardDAV clients see new ETags and sync tokens just as after a PUT. Its log holds errors only, since
warnings would quote cards that it cannot read.
"""

import asyncio
import fcntl
import importlib.util
import json
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contactsync.errors import SettingsError, SourceUnavailable
from contactsync.workers.embedded.answering import answers
from contactsync.workers.embedded.folders import FolderLock, make_folder, write_private
from contactsync.workers.embedded.ports import LOOPBACK, free_port, is_free
from contactsync.workers.embedded.postgres import new_password
from contactsync.workers.embedded.processes import Child, ChildEnded, ChildNotReady, Command, plain_environment

BOOK = "contacts"
READY_SECONDS = 60.0
STOP_SECONDS = 5.0

_CONFIG = """\
[server]
hosts = {host}:{port}
max_connections = 64
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = owner_only
[storage]
filesystem_folder = {folder}/storage
[web]
type = none
[logging]
level = error
"""


@dataclass(frozen=True, slots=True)
class Put:
    """Create or replace a card. `href` is its file name, `vcard` its whole text."""

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


class CardDavServer:
    """A running Radicale with one address book a user; its folder holds storage, passwords, log and lock."""

    def __init__(self, folder: Path, port: int, child: Child, lock: FolderLock) -> None:
        self.folder = folder
        self.port = port
        self.child = child
        self._lock = lock

    @classmethod
    async def start(cls, folder: Path, users: Iterable[str], *, port: int = 0) -> "CardDavServer":
        """Start Radicale on the folder, made if missing. Users get an empty address book and a random password.

        Every change writes several small files: a folder in memory (`temporary_folder(in_memory=True)`) is quicker.

        Raises:
            SettingsError: the package, the folder or the port is not usable; the message says what to do.
            SourceUnavailable: it did not start; the message names its log.
        """
        _check_installed()
        make_folder(folder)
        if port and not is_free(port):
            raise SettingsError(f"port {port} is taken; choose another for Radicale")
        lock = await FolderLock.take(folder)
        try:
            chosen = port or free_port()
            _write_configuration(folder, list(users), chosen)
            child = await _serving(folder, chosen, lock.descriptor)
        except BaseException:
            lock.release()
            raise
        return cls(folder, chosen, child, lock)

    @property
    def url(self) -> str:
        """The server; discovery (RFC 6764) leads each user to the address book."""
        return f"http://{LOOPBACK}:{self.port}/"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.child.log

    def book_url(self, user: str) -> str:
        """The user's address book."""
        return f"{self.url}{user}/{BOOK}/"

    def password_file(self, user: str) -> Path:
        """A file with the user's password and nothing else, readable by its owner only."""
        return _password_file(self.folder, user)

    def password(self, user: str) -> str:
        """The user's password."""
        return self.password_file(user).read_text()

    async def apply(self, user: str, edits: Sequence[Edit]) -> None:
        """Edit the user's address book, in this order and at once: a client sees all of it or nothing.

        Raises:
            FileNotFoundError: a card to delete or move is not there.
            ValueError: a file name that Radicale would pass over.
        """
        await asyncio.to_thread(_edit, self.folder / "storage", user, edits)

    async def stop(self) -> None:
        """Stop it."""
        await self.child.stop()
        self._lock.release()


def _check_installed() -> None:
    if importlib.util.find_spec("radicale") is None:
        raise SettingsError("radicale is not installed; the embedded stack needs: pip install 'contactsync[embedded]'")


def _password_file(folder: Path, user: str) -> Path:
    return folder / f"{user}.password"


def _write_configuration(folder: Path, users: Sequence[str], port: int) -> None:
    for user in users:
        if not _password_file(folder, user).exists():
            write_private(_password_file(folder, user), new_password())
        _make_book(_book_folder(folder / "storage", user))
    lines = (f"{user}:{_password_file(folder, user).read_text()}\n" for user in users)
    write_private(folder / "users", "".join(lines))
    write_private(folder / "config", _CONFIG.format(host=LOOPBACK, port=port, folder=folder))


def _book_folder(storage: Path, user: str) -> Path:
    return storage / "collection-root" / _checked(user) / BOOK


def _make_book(book: Path) -> None:
    make_folder(book)
    write_private(book / ".Radicale.props", json.dumps({"tag": "VADDRESSBOOK", "D:displayname": BOOK}))


def _checked(name: str) -> str:
    if not name or "/" in name or name.startswith(".") or name.endswith("~"):
        raise ValueError("a file name that Radicale passes over")
    return name


def _edit(storage: Path, user: str, edits: Sequence[Edit]) -> None:
    book = _book_folder(storage, user)
    with _storage_lock(storage):
        for edit in edits:
            _apply(book, edit)


@contextmanager
def _storage_lock(storage: Path) -> Generator[None]:
    descriptor = os.open(storage / ".Radicale.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _apply(book: Path, edit: Edit) -> None:
    card = book / _checked(edit.href)
    match edit:
        case Put():
            card.write_bytes(edit.vcard.encode())
        case Delete():
            card.unlink()
        case Move():
            card.rename(book / _checked(edit.to))


async def _serving(folder: Path, port: int, lock: int) -> Child:
    command = Command(
        argv=(sys.executable, "-I", "-m", "radicale", "--config", str(folder / "config")),
        log=folder / "radicale.log",
        cwd=folder,
        env=plain_environment(folder),
        grace_seconds=STOP_SECONDS,
        keep_open=(lock,),
    )
    child = await Child.start(command)
    try:
        await child.until(lambda: answers(f"http://{LOOPBACK}:{port}/"), READY_SECONDS)
    except (ChildEnded, ChildNotReady) as error:
        await child.stop()
        raise SourceUnavailable(str(error)) from None
    except BaseException:
        await child.stop()
        raise
    return child
