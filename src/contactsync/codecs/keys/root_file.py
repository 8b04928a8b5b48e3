"""The root key file: JSON, one entry a version, for its owner's eyes only.

`{"format": "contactsync-root-key/1", "keys": [{"version": 1, "kid": hex(16), "key": hex(32)}, …]}`, versions
ascending. A `kid` is derived from its version and key, so that an altered entry shows.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contactsync.codecs.envelope.cs1 import KID_BYTES
from contactsync.codecs.keys.key import SecretBytes
from contactsync.errors import RootKeyRefused, RootKeyUnavailable

FORMAT: Final = "contactsync-root-key/1"
MAX_FILE_BYTES: Final = 64 * 1024

_KID_LABEL: Final = b"contactsync/root-key-id/v1\x00"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _KeyEntry(_StrictModel):
    version: int = Field(ge=1, le=0xFFFF_FFFF)
    kid: str = Field(pattern="^[0-9a-f]{32}$")
    key: str = Field(pattern="^[0-9a-f]{64}$", repr=False)


class _KeyFile(_StrictModel):
    format: Literal["contactsync-root-key/1"]
    keys: tuple[_KeyEntry, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, eq=False)
class RootVersion:
    """One version of the root key; a `SealingKey`."""

    version: int
    secret: SecretBytes

    @property
    def kid(self) -> bytes:
        """Derived from version and key: the file's check, and the id that wrapped bytes name."""
        label = _KID_LABEL + self.version.to_bytes(4)
        return HKDFExpand(SHA512(), KID_BYTES, label).derive(self.secret.expose())


def read_root_file(path: Path) -> tuple[RootVersion, ...]:
    """All versions in the file, ascending.

    Raises:
        RootKeyUnavailable: it is not there, cannot be read, is a link, is another's, or is open to others.
        RootKeyRefused: it is no root key file, or was altered.
    """
    content = _read_guarded(path)
    try:
        entries = _KeyFile.model_validate_json(content).keys
    except ValidationError:
        raise RootKeyRefused(f"{path} is no root key file, or was altered; put the right one back") from None
    versions = tuple(_version(path, entry) for entry in entries)
    numbers = [version.version for version in versions]
    if numbers != sorted(set(numbers)):
        raise _altered(path)
    return versions


def create_root_file(path: Path, versions: Sequence[RootVersion]) -> None:
    """Write a new file, 0600.

    Raises:
        RootKeyRefused: there is a file already; it is never overwritten.
        RootKeyUnavailable: it cannot be written.
    """
    try:
        _write_new(path, _content(versions))
        _sync_folder(path)
    except FileExistsError:
        raise RootKeyRefused(f"{path} is there already and is never overwritten; use it or choose another") from None
    except OSError as error:
        raise _unwritable(path, error) from None


def replace_root_file(path: Path, versions: Sequence[RootVersion]) -> None:
    """Put a new file in the old one's place, in one step.

    Raises:
        RootKeyUnavailable: it cannot be written; the old one stays.
    """
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        _write_new(draft, _content(versions))
        draft.replace(path)
        _sync_folder(path)
    except OSError as error:
        raise _unwritable(path, error) from None


def _read_guarded(path: Path) -> bytes:
    # O_NONBLOCK: a pipe in the file's place must not hang; O_NOFOLLOW: a link there is refused
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise RootKeyUnavailable(f"the root key file {path} is missing; put it back, or point to where it is") from None
    except OSError as error:
        raise RootKeyUnavailable(f"the root key file {path} cannot be opened: {_reason(error)}") from None
    try:
        _check_guarded(path, os.fstat(descriptor))
        return os.read(descriptor, MAX_FILE_BYTES)
    except OSError as error:
        raise RootKeyUnavailable(f"the root key file {path} cannot be read: {_reason(error)}") from None
    finally:
        os.close(descriptor)


def _check_guarded(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise RootKeyUnavailable(f"{path} is no plain file with one name; make it one, links are refused")
    if found.st_uid != os.geteuid():
        raise RootKeyUnavailable(f"{path} belongs to another user (uid {found.st_uid}); chown it to uid {os.geteuid()}")
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        raise RootKeyUnavailable(f"{path} is open to others (mode {stat.S_IMODE(found.st_mode):04o}); chmod 600 it")


def _version(path: Path, entry: _KeyEntry) -> RootVersion:
    version = RootVersion(entry.version, SecretBytes(bytes.fromhex(entry.key)))
    if not bytes_eq(version.kid, bytes.fromhex(entry.kid)):
        raise _altered(path)
    return version


def _content(versions: Sequence[RootVersion]) -> bytes:
    entries = ",\n".join(
        f'  {{"version": {key.version}, "kid": "{key.kid.hex()}", "key": "{key.secret.expose().hex()}"}}'
        for key in versions
    )
    return f'{{"format": "{FORMAT}", "keys": [\n{entries}\n]}}\n'.encode()


def _write_new(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _altered(path: Path) -> RootKeyRefused:
    return RootKeyRefused(f"the root key file {path} was altered; put the right one back")


def _unwritable(path: Path, error: OSError) -> RootKeyUnavailable:
    return RootKeyUnavailable(f"the root key file {path} cannot be written: {_reason(error)}")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "the system refused"
