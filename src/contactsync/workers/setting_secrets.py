"""Secrets that the settings refer to, and how this process reaches the stores where secrets are."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from contactsync.activities.sources.secrets import Secrets
from contactsync.errors import SecretUnavailable
from contactsync.workers.root_keys import vault_client
from contactsync.workers.settings import PREFIX, SecretSetting, Settings

if TYPE_CHECKING:
    from contactsync.activities.sources.secret_stores import AwsSecrets, SecretsManager, VaultSecrets


@asynccontextmanager
async def opened_secrets(settings: Settings) -> AsyncGenerator[Secrets]:
    """Resolves references to all kinds of stores; a store is reached when it is first asked for."""
    secrets = Secrets({"vault": lambda: _vault(settings), "aws-sm": lambda: _aws(settings)})
    try:
        yield secrets
    finally:
        await secrets.close()


async def secret_of(settings: Settings, name: SecretSetting) -> str | None:
    """The secret of a setting, read now from where its `…_SECRET` or `…_FILE` says; None where neither is set.

    Raises:
        SettingsError: both are set, or the settings do not say how to reach the store.
        SecretUnavailable: it is not there, or its store does not answer.
    """
    reference = settings.secret_reference(name)
    if reference is None:
        return None
    async with opened_secrets(settings) as secrets:
        try:
            return await secrets.resolve(reference)
        except SecretUnavailable as error:
            raise SecretUnavailable(f"{PREFIX}{name.upper()}: {error}") from None


async def with_password(settings: Settings) -> Settings:
    """The settings with the database's password in the URLs that have none.

    Raises:
        as `secret_of`.
    """
    password = await secret_of(settings, "database_password")
    return settings if password is None else settings.with_database_password(password)


def _vault(settings: Settings) -> "VaultSecrets":
    from contactsync.activities.sources.secret_stores import VaultSecrets  # noqa: PLC0415 - it brings an HTTP client

    return VaultSecrets(vault_client(settings))


def _aws(settings: Settings) -> "AwsSecrets":
    from contactsync.activities.sources.secret_stores import AwsSecrets  # noqa: PLC0415
    from contactsync.codecs.keys.aws import aws_client  # noqa: PLC0415 - boto3 is an extra

    client = aws_client("secretsmanager", settings.aws_region, settings.aws_endpoint)
    return AwsSecrets(cast("SecretsManager", client))
