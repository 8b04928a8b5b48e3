"""Stores of secrets: Vault or OpenBao (KV version 2), and AWS Secrets Manager. Each read asks the store once.

A store that is not asked for is not imported: boto3 is an extra, and the command must be quick.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from contactsync.codecs.keys.vault import VaultClient, VaultRefused, VaultUnavailable
from contactsync.errors import SecretUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_NO_FIELD: Final = "the secret has no such field, or its value is no text"
_AWS_REFUSALS: Final = {
    "AccessDeniedException": "these AWS credentials have no right to the secret; grant secretsmanager:GetSecretValue",
    "DecryptionFailure": "AWS cannot decrypt the secret; grant the use of its KMS key",
    "ExpiredTokenException": "the AWS credentials have expired; renew them and the work goes on",
    "InvalidRequestException": "the secret in AWS Secrets Manager is about to be deleted; restore it",
    "ResourceNotFoundException": "the secret is not in AWS Secrets Manager; put it there and the work goes on",
    "UnrecognizedClientException": "the AWS credentials are not accepted; renew them and the work goes on",
}


class VaultSecrets:
    """A `SecretStore` over Vault or OpenBao; a name is `mount/path`."""

    def __init__(self, client: VaultClient) -> None:
        self._client = client

    async def read(self, name: str, field: str) -> str:
        """See `SecretStore`."""
        try:
            fields = await self._client.read(name)
        except VaultUnavailable as error:
            raise SecretUnavailable(f"the secret cannot be read: {error}") from None
        except VaultRefused as error:
            if error.status == 404:
                raise SecretUnavailable("the secret is not in Vault; put it there and the work goes on") from None
            raise SecretUnavailable(f"the secret cannot be read: {error}") from None
        if field not in fields:
            raise SecretUnavailable(_NO_FIELD)
        return fields[field]

    async def close(self) -> None:
        """See `SecretStore`."""
        await self._client.close()


class SecretsManager(Protocol):
    """What is used of boto3's client (https://docs.aws.amazon.com/secretsmanager/latest/apireference/)."""

    def get_secret_value(self, **arguments: str) -> Mapping[str, Any]: ...
    def close(self) -> None: ...


class AwsSecrets:
    """A `SecretStore` over AWS Secrets Manager; a name is a secret's name or ARN."""

    def __init__(self, client: SecretsManager) -> None:
        self._client = client

    async def read(self, name: str, field: str) -> str:
        """See `SecretStore`."""
        answer = await asyncio.to_thread(self._asked, name)
        text = answer.get("SecretString")
        if not isinstance(text, str):
            raise SecretUnavailable("the secret in AWS Secrets Manager is no text")
        return _field(text, field) if field else text

    async def close(self) -> None:
        """See `SecretStore`."""
        await asyncio.to_thread(self._client.close)

    def _asked(self, name: str) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - an extra

        try:
            return self._client.get_secret_value(SecretId=name)
        except ClientError as error:
            raise SecretUnavailable(_aws_meaning(error)) from None
        except NoCredentialsError:
            raise SecretUnavailable("there are no AWS credentials; give this process a role or keys") from None
        except BotoCoreError:
            raise SecretUnavailable("AWS Secrets Manager does not answer; it is tried again") from None


def _aws_meaning(error: "ClientError") -> str:
    code = error.response.get("Error", {}).get("Code", "")
    return _AWS_REFUSALS.get(code, "AWS Secrets Manager does not give the secret; it is tried again")


def _field(text: str, field: str) -> str:
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    value = cast("dict[str, object]", document).get(field) if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise SecretUnavailable(_NO_FIELD)
    return value
