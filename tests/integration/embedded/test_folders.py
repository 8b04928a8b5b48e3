"""Folders, private files and locks."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsync.errors import SettingsError
from contactsync.workers.embedded.folders import (
    FolderLock,
    closed_folder,
    make_folder,
    service_user,
    temporary_folder,
    write_private,
)
from contactsync.workers.embedded.processes import Child, Command, RunAs, plain_environment

STRANGER = RunAs(54321, 54321)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder."""
    with temporary_folder() as path:
        yield path


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_new_folders_are_private(folder: Path) -> None:
    """A folder made here, and each of its new parents, is for its owner."""
    made = make_folder(folder / "a" / "b")
    assert [_mode(path) for path in (made, made.parent, folder)] == [0o700, 0o700, 0o700]


def test_existing_folders_stay_as_they_are(folder: Path) -> None:
    """No mode of a folder that was there is touched, whoever is to pass through."""
    (folder / "there").mkdir(mode=0o700)
    user = service_user()
    make_folder(folder / "there" / "new", user)
    assert _mode(folder / "there") == 0o700
    assert _mode(folder / "there" / "new") == (0o710 if user else 0o700)


def test_a_file_is_no_folder(folder: Path) -> None:
    """A file where the folder should be is told in a sentence."""
    (folder / "file").touch()
    with pytest.raises(SettingsError, match="is not a folder"):
        make_folder(folder / "file")
    with pytest.raises(SettingsError, match="cannot be made: not a directory"):
        make_folder(folder / "file" / "below")


def test_closed_folders_are_found(folder: Path) -> None:
    """The first folder that a user may not enter is the one that is named."""
    below = make_folder(folder / "below")
    assert closed_folder(below, STRANGER) == folder
    folder.chmod(0o711)
    assert closed_folder(below, STRANGER) == below
    below.chmod(0o711)
    assert closed_folder(below, STRANGER) is None


def test_private_files_are_replaced_whole(folder: Path) -> None:
    """A private file has mode 0600 whatever was there before, and leaves no draft."""
    (folder / "secret").touch(mode=0o644)
    write_private(folder / "secret", "new")
    assert (folder / "secret").read_text() == "new"
    assert _mode(folder / "secret") == 0o600
    assert os.listdir(folder) == ["secret"]  # noqa: PTH208  # names are what counts


def test_temporary_folders_are_gone_afterwards() -> None:
    """A temporary folder is private while it is there, also in memory."""
    for in_memory in (False, True):
        with temporary_folder(in_memory=in_memory) as path:
            assert _mode(path) == 0o700
        assert not path.exists()


def test_there_is_no_such_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root is told when the user for PostgreSQL does not exist, or is root again."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(SettingsError, match="there is no user nosuchuser"):
        service_user("nosuchuser")
    with pytest.raises(SettingsError, match="does not run as root"):
        service_user("root")


async def test_a_lock_is_one_servers(folder: Path) -> None:
    """A folder that is locked is refused to the next."""
    lock = await FolderLock.take(folder)
    with pytest.raises(SettingsError, match="another contactsync uses"):
        await FolderLock.take(folder, 0.1)
    lock.release()
    (await FolderLock.take(folder, 0.1)).release()


async def test_a_lock_lasts_as_long_as_its_server(folder: Path) -> None:
    """The lock stays while a child that holds it lives, and ends with it."""
    lock = await FolderLock.take(folder)
    command = Command(
        ("/bin/sleep", "600"), folder / "log", folder, plain_environment(folder), keep_open=(lock.descriptor,)
    )
    child = await Child.start(command)
    lock.release()
    with pytest.raises(SettingsError, match="another contactsync uses"):
        await FolderLock.take(folder, 0.1)
    await child.stop()
    (await FolderLock.take(folder, 5)).release()
