"""The root key file: guarded when it is read, whole when it is written, refused when it is not what it was."""

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.key import SecretBytes
from contactsync.codecs.keys.root import RootKeyProvider, TenantKeyName, unwrap_tenant_key
from contactsync.codecs.keys.root_file import MAX_FILE_BYTES, RootVersion, create_root_file, read_root_file
from contactsync.errors import RootKeyRefused, RootKeyUnavailable

NAME: Final = TenantKeyName(UUID(int=7), 1, bytes(range(16)))
VECTORS: Final = Path(__file__).parents[3] / "vectors" / "cs1" / "known_answers.json"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a new root key file lies."""
    FileRootKey.create(tmp_path / "root.key")
    return tmp_path / "root.key"


def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def _save(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), "utf-8")


def _secrets(path: Path) -> list[str]:
    return re.findall(r"[0-9a-f]{64}", path.read_text("utf-8", errors="replace"))


async def test_what_was_wrapped_unwraps(path: Path) -> None:
    """A wrapped key comes back from a provider made anew over the same file."""
    provider: RootKeyProvider = FileRootKey(path)
    wrapped = await provider.wrap(NAME, b"a tenant key")
    assert await FileRootKey(path).unwrap(NAME, wrapped) == b"a tenant key"
    assert b"a tenant key" not in wrapped


@pytest.mark.parametrize(
    "name",
    [
        TenantKeyName(UUID(int=8), 1, NAME.kid),
        TenantKeyName(NAME.tenant_id, 2, NAME.kid),
        TenantKeyName(NAME.tenant_id, 1, bytes(16)),
    ],
    ids=["tenant", "version", "id"],
)
async def test_tenant_version_and_id_are_bound_outside(path: Path, name: TenantKeyName) -> None:
    """A wrapped tenant key does not unwrap as another tenant's, version's or key's."""
    wrapped = await FileRootKey(path).wrap(NAME, b"a tenant key")
    with pytest.raises(RootKeyRefused):
        await FileRootKey(path).unwrap(name, wrapped)


async def test_wrapped_bytes_that_were_altered_are_refused(path: Path) -> None:
    """Any changed byte, and any cut, is refused."""
    wrapped = await FileRootKey(path).wrap(NAME, b"a tenant key")
    for position in range(len(wrapped)):
        altered = wrapped[:position] + bytes([wrapped[position] ^ 1]) + wrapped[position + 1 :]
        for bad in (altered, wrapped[:position]):
            with pytest.raises(RootKeyRefused):
                await FileRootKey(path).unwrap(NAME, bad)


def test_a_new_file_is_for_its_owner_only(path: Path) -> None:
    """Whatever the umask, a new file has mode 0600 and one name."""
    previous = os.umask(0)
    try:
        FileRootKey.create(path.with_name("other.key"))
    finally:
        os.umask(previous)
    for file in (path, path.with_name("other.key")):
        assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_nlink) == (0o600, 1)


def test_a_file_is_never_overwritten(path: Path) -> None:
    """Creating where a file is says so and leaves it."""
    before = path.read_bytes()
    with pytest.raises(RootKeyRefused, match="never overwritten"):
        FileRootKey.create(path)
    assert before == path.read_bytes()


def test_a_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    """Creating where a dangling link is writes nothing at its end."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RootKeyRefused):
        FileRootKey.create(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Creating in a missing folder says what the system said."""
    with pytest.raises(RootKeyUnavailable, match="cannot be written: no such file"):
        FileRootKey.create(tmp_path / "none" / "root.key")


async def _refusal(path: Path, kind: type[Exception]) -> str:
    """The one sentence that every use of the file gives."""
    texts: set[str] = set()
    provider = FileRootKey(path)
    for use in (provider.health, lambda: provider.wrap(NAME, b""), lambda: provider.unwrap(NAME, bytes(100))):
        with pytest.raises(kind) as refusal:
            await use()
        assert refusal.value.__cause__ is None
        texts.add(str(refusal.value))
    assert len(texts) == 1
    return texts.pop()


async def test_a_missing_file_is_said(path: Path) -> None:
    """A file that is gone is unavailable, in words that say what to do."""
    path.unlink()
    assert "is missing; put it back" in await _refusal(path, RootKeyUnavailable)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o606, 0o610, 0o601, 0o777])
async def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    """Any right of group or others is refused, with the mode and the remedy."""
    path.chmod(mode)
    assert f"mode {mode:04o}); chmod 600 it" in await _refusal(path, RootKeyUnavailable)


@pytest.mark.parametrize("mode", [0o600, 0o400])
async def test_a_closed_file_is_read(path: Path, mode: int) -> None:
    """Read and write, or read only, for the owner alone is as it should be."""
    path.chmod(mode)
    await FileRootKey(path).health()


async def test_anothers_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that belongs to another user is refused: who owns it could change it."""
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert f"belongs to another user (uid {owner}); chown it to uid {owner + 1}" in await _refusal(
        path, RootKeyUnavailable
    )


async def test_a_symbolic_link_is_refused(path: Path) -> None:
    """A link in the file's place is not followed."""
    moved = path.rename(path.with_name("moved.key"))
    path.symlink_to(moved)
    assert "cannot be opened" in await _refusal(path, RootKeyUnavailable)


async def test_a_hard_link_is_refused(path: Path) -> None:
    """A file with a second name is refused."""
    path.with_name("twin.key").hardlink_to(path)
    assert "links are refused" in await _refusal(path, RootKeyUnavailable)


async def test_a_folder_or_pipe_in_its_place_is_refused(tmp_path: Path) -> None:
    """A folder is refused, and a pipe is too without hanging on it."""
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "no plain file" in await _refusal(tmp_path / "folder", RootKeyUnavailable)
    assert "no plain file" in await _refusal(tmp_path / "pipe", RootKeyUnavailable)


def _other_key(content: dict[str, Any]) -> None:
    content["keys"][0]["key"] = "ab" * 32


def _one_bit(content: dict[str, Any]) -> None:
    key = bytearray.fromhex(content["keys"][0]["key"])
    key[5] ^= 1
    content["keys"][0]["key"] = key.hex()


def _other_kid(content: dict[str, Any]) -> None:
    content["keys"][0]["kid"] = "ab" * 16


def _other_version(content: dict[str, Any]) -> None:
    content["keys"][0]["version"] = 2


def _twice(content: dict[str, Any]) -> None:
    content["keys"] *= 2


def _none(content: dict[str, Any]) -> None:
    content["keys"] = []


def _short(content: dict[str, Any]) -> None:
    content["keys"][0]["key"] = content["keys"][0]["key"][:-2]


def _more(content: dict[str, Any]) -> None:
    content["note"] = "x"


def _format(content: dict[str, Any]) -> None:
    content["format"] = "contactsync-root-key/2"


@pytest.mark.parametrize(
    "altered", [_other_key, _one_bit, _other_kid, _other_version, _twice, _none, _short, _more, _format]
)
async def test_a_tampered_file_is_refused(path: Path, altered: Callable[[dict[str, Any]], None]) -> None:
    """Any member that is not what was written is refused, and the sentence holds no part of a key."""
    content = _load(path)
    altered(content)
    _save(path, content)
    sentence = await _refusal(path, RootKeyRefused)
    assert "was altered; put the right one back" in sentence
    assert all(secret[:8] not in sentence for secret in _secrets(path))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"x" * MAX_FILE_BYTES * 2, b'{"format": "contactsync-root-key/1"}']
)
async def test_a_file_of_another_kind_is_refused(path: Path, content: bytes) -> None:
    """What is no root key file is refused, however large it is."""
    path.write_bytes(content)
    assert "is no root key file" in await _refusal(path, RootKeyRefused)


async def test_a_wrong_key_is_refused(path: Path, tmp_path: Path) -> None:
    """A sound file of another key is told from an altered one, and says what to do."""
    wrapped = await FileRootKey(path).wrap(NAME, b"a tenant key")
    other = FileRootKey.create(tmp_path / "other.key")
    with pytest.raises(RootKeyRefused, match="another root key than the one that was used; put that one back"):
        await other.unwrap(NAME, wrapped)


async def test_rotation_opens_the_old_and_wraps_with_the_new(path: Path) -> None:
    """After a rotation old wrapped keys open, new ones name the new version, and re-wrapping moves them there."""
    provider = FileRootKey(path)
    old = await provider.wrap(NAME, b"a tenant key")
    assert await provider.rotate() == 2
    new = await provider.rewrap(NAME, old)
    assert await provider.unwrap(NAME, old) == await provider.unwrap(NAME, new) == b"a tenant key"
    assert [old[:16], new[:16]] == [version.kid for version in read_root_file(path)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [path] == list(path.parent.iterdir())


async def test_a_destroyed_version_is_gone(path: Path) -> None:
    """What an old version wrapped ends with it; what was re-wrapped goes on; the newest cannot be destroyed."""
    provider = FileRootKey(path)
    old = await provider.wrap(NAME, b"a tenant key")
    await provider.rotate()
    new = await provider.rewrap(NAME, old)
    for version in (2, 3):
        with pytest.raises(RootKeyRefused):
            await provider.destroy(version)
    await provider.destroy(1)
    assert await provider.unwrap(NAME, new) == b"a tenant key"
    with pytest.raises(RootKeyRefused):
        await provider.unwrap(NAME, old)


async def test_a_rotation_that_cannot_be_written_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new file cannot be put in place, the old one is whole."""
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        del descriptor
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RootKeyUnavailable, match="cannot be written: no space left on device"):
        await FileRootKey(path).rotate()
    assert before == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


async def test_known_answers_unwrap(tmp_path: Path) -> None:
    """A root key file and a wrapped tenant key made by an independent program open."""
    answers = json.loads(VECTORS.read_text("utf-8"))
    root = answers["root_versions"][0]
    version = RootVersion(root["version"], SecretBytes(bytes.fromhex(root["key"])))
    assert root["kid"] == version.kid.hex()
    create_root_file(tmp_path / "root.key", [version])
    wrapped = answers["wrapped_tenant_key"]
    name = TenantKeyName(UUID(wrapped["tenant"]), wrapped["version"], bytes.fromhex(wrapped["kid"]))
    key = await unwrap_tenant_key(FileRootKey(tmp_path / "root.key"), name, bytes.fromhex(wrapped["wrapped"]))
    assert wrapped["secret"] == key.secret.expose().hex()
