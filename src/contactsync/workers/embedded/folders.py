"""Folders and files for their owner, and the user a server runs as, alone. No existing mode is ever widened."""

import asyncio
import contextlib
import fcntl
import os
import pwd
import shutil
import stat
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from contactsync.errors import SettingsError
from contactsync.workers.embedded.processes import RunAs

DEFAULT_USER = "nobody"
MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it, by mkdtemp
LOCK_SECONDS = 15.0
LOCK_POLL_SECONDS = 0.02


def service_user(name: str | None = None) -> RunAs | None:
    """The user for servers that refuse to run as root; None when contactsync is not root itself.

    Raises:
        SettingsError: there is no such user.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name or DEFAULT_USER)
    except KeyError:
        raise SettingsError(f"there is no user {name or DEFAULT_USER} to run PostgreSQL as; name another") from None
    if entry.pw_uid == 0:
        raise SettingsError("PostgreSQL does not run as root; name another user")
    return RunAs(entry.pw_uid, entry.pw_gid)


def make_folder(path: Path, user: RunAs | None = None) -> Path:
    """Make the folder and its parents if they are missing, private but for `user`, who may pass through.

    Raises:
        SettingsError: it cannot be made, or there is already something else.
    """
    try:
        for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
            missing.mkdir(mode=0o700)
            let_through(missing, user)
        if not path.is_dir():
            raise SettingsError(f"{path} is not a folder")
    except OSError as error:
        raise SettingsError(f"the folder {path} cannot be made: {os.strerror(error.errno or 0).lower()}") from None
    return path


def let_through(new_folder: Path, user: RunAs | None) -> None:
    """Let the user's group pass through a folder that we have just made."""
    if user is not None:
        os.chown(new_folder, -1, user.gid)
        new_folder.chmod(0o710)


@contextlib.contextmanager
def temporary_folder(user: RunAs | None = None, *, in_memory: bool = False) -> Generator[Path]:
    """A private folder that is gone afterwards; on request in memory, where the system has such a place (Linux)."""
    parent = MEMORY if in_memory and os.access(MEMORY, os.W_OK | os.X_OK) else None
    path = Path(tempfile.mkdtemp(prefix="contactsync-", dir=parent)).resolve()
    try:
        let_through(path, user)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def closed_folder(path: Path, user: RunAs) -> Path | None:
    """The first folder on the way to `path` (and `path` itself) that the user may not enter."""
    way = [*reversed(path.absolute().parents), path.absolute()]
    return next((step for step in way if step.exists() and not _may_enter(step, user)), None)


def _may_enter(path: Path, user: RunAs) -> bool:
    facts = path.stat()
    if facts.st_uid == user.uid:
        return bool(facts.st_mode & stat.S_IXUSR)
    if facts.st_gid == user.gid:
        return bool(facts.st_mode & stat.S_IXGRP)
    return bool(facts.st_mode & stat.S_IXOTH)


def write_private(path: Path, text: str, user: RunAs | None = None) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if user is not None:
            os.fchown(descriptor, user.uid, user.gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)


class FolderLock:
    """One server at a time on a folder.

    The descriptor is handed to the server and all its children (`keep_open`), so the lock lasts as long as any of
    them lives, even when contactsync was killed and they are still going down.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    async def take(cls, folder: Path, seconds: float = LOCK_SECONDS) -> "FolderLock":
        """Take the lock, waiting a while for those who are still going down.

        Raises:
            SettingsError: another server uses the folder, or it may not be written.
        """
        descriptor = _open_lock(folder / "lock")
        deadline = time.monotonic() + seconds
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise SettingsError(f"another contactsync uses {folder}; stop it, or choose another folder")
            await asyncio.sleep(LOCK_POLL_SECONDS)  # flock(2) has no deadline of its own
        return cls(descriptor)

    def release(self) -> None:
        """Let go of our share of the lock."""
        os.close(self.descriptor)


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(f"{path} cannot be opened: {os.strerror(error.errno or 0).lower()}") from None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
