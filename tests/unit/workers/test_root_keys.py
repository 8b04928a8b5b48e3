"""Which root key the settings name; nothing is asked yet."""

from pathlib import Path

import pytest

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.kms_root import KmsRootKey
from contactsync.codecs.keys.vault_root import VaultRootKey
from contactsync.errors import SettingsError
from contactsync.workers.root_keys import opened_root, root_key, root_key_kind
from contactsync.workers.settings import Settings

VAULT = {"vault_address": "https://vault.example:8200", "vault_token_file": "/run/secrets/vault_token"}
REGION = {"aws_region": "eu-central-1"}


def _settings(**given: object) -> Settings:
    return Settings.model_validate(given)


@pytest.mark.parametrize(
    ("given", "kind", "made"),
    [
        ({"root_key_file": "/run/secrets/root_key"}, "file", FileRootKey),
        ({"root_key_file": "relative.key"}, "file", FileRootKey),
        ({"root_key": "file:/run/secrets/root_key"}, "file", FileRootKey),
        ({"root_key": "vault:transit/contactsync", **VAULT}, "vault", VaultRootKey),
        ({"root_key": "vault:teams/contacts/transit/root-1", **VAULT}, "vault", VaultRootKey),
        ({"root_key": "aws-kms:alias/contactsync", **REGION}, "aws-kms", KmsRootKey),
        ({"root_key": "aws-kms:arn:aws:kms:eu-central-1:111122223333:key/1-2", **REGION}, "aws-kms", KmsRootKey),
    ],
)
async def test_a_root_key_is_named(given: dict[str, object], kind: str, made: type) -> None:
    """Each form gives the root key of its kind."""
    settings = _settings(**given)
    assert root_key_kind(settings) == kind
    async with opened_root(settings) as root:
        assert type(root) is made


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "ROOT_KEY_FILE is not set"),
        ({"root_key": "file:/a", "root_key_file": "/a"}, "both set"),
        ({"root_key": "file:relative.key"}, "whole path"),
        ({"root_key": "5f" * 32}, "begins with file:, vault: or aws-kms:"),
        ({"root_key": "/run/secrets/root_key"}, "begins with"),
        ({"root_key": "gcp-kms:x"}, "begins with"),
        ({"root_key": "vault:transit", **VAULT}, "MOUNT/KEY"),
        ({"root_key": "vault:/contactsync", **VAULT}, "MOUNT/KEY"),
        ({"root_key": "vault:transit/../sys", **VAULT}, "MOUNT/KEY"),
        ({"root_key": "vault:transit/root?", **VAULT}, "MOUNT/KEY"),
        ({"root_key": "vault:transit/root"}, "VAULT_ADDRESS"),
        ({"root_key": "vault:transit/root", "vault_address": "https://v"}, "VAULT_TOKEN_FILE"),
        ({"root_key": "vault:transit/root", **VAULT, "vault_address": "http://vault.example"}, "https only"),
        ({"root_key": "aws-kms:", **REGION}, "by its id, ARN or alias"),
        ({"root_key": "aws-kms:key id", **REGION}, "by its id, ARN or alias"),
        ({"root_key": "aws-kms:x", **REGION, "aws_endpoint": "http://kms.example"}, "https only"),
    ],
)
def test_a_root_key_that_is_not_named_as_it_should_be(given: dict[str, object], says: str) -> None:
    """Every other form is a settings error that says what is wanted and repeats nothing of what was given."""
    with pytest.raises(SettingsError, match=says) as raised:
        root_key(_settings(**given))
    assert "5f5f" not in str(raised.value)


def test_a_root_key_is_not_shown(tmp_path: Path) -> None:
    """Settings printed by mistake show neither the root key's reference, which may be the key itself, nor Vault's."""
    shown = repr(_settings(root_key="5f" * 32, **VAULT, vault_ca_file=tmp_path))
    assert "5f5f" not in shown
    assert "vault.example" not in shown
