"""Which root key: a file, Vault or OpenBao, AWS KMS. The one that is not asked for is not imported."""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.root import RootKeyProvider
from contactsync.errors import SettingsError
from contactsync.workers.settings import PREFIX, Settings

if TYPE_CHECKING:
    from contactsync.codecs.keys.vault import VaultClient

KINDS: Final = {"file": "a file of its owner's alone", "vault": "a transit key of Vault", "aws-kms": "a key of AWS KMS"}
"""What a reference may begin with, and what that is."""

_NAME: Final = "[A-Za-z0-9][A-Za-z0-9_.-]*"
_TRANSIT_KEY: Final = re.compile(f"({_NAME}(?:/{_NAME})*)/({_NAME})")
_KMS_KEY: Final = re.compile("[A-Za-z0-9:/_-]{1,2048}")


def root_key_kind(settings: Settings) -> str:
    """One of `KINDS`.

    Raises:
        SettingsError: there is no root key, or it is of none of these.
    """
    kind = settings.root_key_reference().partition(":")[0]
    if kind not in KINDS:
        raise SettingsError(f"{PREFIX}ROOT_KEY begins with file:, vault: or aws-kms:; the key itself is never given")
    return kind


def root_key(settings: Settings) -> RootKeyProvider:
    """The root key that the settings name; nothing was sent anywhere yet. Close it at the end.

    Raises:
        SettingsError: it is not named as it should be, or what is needed to reach it is not set or not installed.
    """
    kind = root_key_kind(settings)
    return _MAKERS[kind](settings, settings.root_key_reference().removeprefix(f"{kind}:"))


@asynccontextmanager
async def opened_root(settings: Settings) -> AsyncGenerator[RootKeyProvider]:
    """The root key that the settings name, closed at the end.

    Raises:
        SettingsError: as `root_key`.
    """
    root = root_key(settings)
    try:
        yield root
    finally:
        await root.close()


def vault_client(settings: Settings) -> "VaultClient":
    """The Vault that the settings name. Close it at the end.

    Raises:
        SettingsError: address or token file are not set, or not usable.
    """
    from contactsync.codecs.keys.vault import VaultClient  # noqa: PLC0415 - it brings an HTTP client

    if settings.vault_address is None or settings.vault_token_file is None:
        raise SettingsError(f"{PREFIX}VAULT_ADDRESS and {PREFIX}VAULT_TOKEN_FILE are both needed to reach Vault")
    return VaultClient(
        settings.vault_address, settings.vault_token_file, settings.vault_ca_file, settings.vault_namespace
    )


def _in_file(settings: Settings, name: str) -> RootKeyProvider:
    if settings.root_key is not None and not Path(name).is_absolute():
        raise SettingsError(f"{PREFIX}ROOT_KEY names a file by its whole path, as file:/path")
    return FileRootKey(Path(name))


def _in_vault(settings: Settings, name: str) -> RootKeyProvider:
    from contactsync.codecs.keys.vault_root import VaultRootKey  # noqa: PLC0415 - only where it is asked for

    found = _TRANSIT_KEY.fullmatch(name)
    if found is None:
        raise SettingsError(f"{PREFIX}ROOT_KEY names a transit key as vault:MOUNT/KEY")
    return VaultRootKey(vault_client(settings), found[1], found[2])


def _in_kms(settings: Settings, name: str) -> RootKeyProvider:
    from contactsync.codecs.keys.kms_root import KmsRootKey  # noqa: PLC0415 - boto3 is an extra

    if not _KMS_KEY.fullmatch(name):
        raise SettingsError(f"{PREFIX}ROOT_KEY names a KMS key as aws-kms:ID, by its id, ARN or alias")
    return KmsRootKey(name, settings.aws_region, settings.aws_endpoint)


_MAKERS: Final[dict[str, Callable[[Settings, str], RootKeyProvider]]] = {
    "file": _in_file,
    "vault": _in_vault,
    "aws-kms": _in_kms,
}
