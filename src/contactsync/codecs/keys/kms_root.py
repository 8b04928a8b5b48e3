"""The root key in AWS KMS, through boto3 (extra `aws`), whose calls block and so run in threads.

https://docs.aws.amazon.com/kms/latest/APIReference/
"""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast
from uuid import UUID

from contactsync.codecs.keys.aws import aws_client
from contactsync.codecs.keys.key import new_kid
from contactsync.codecs.keys.root import TenantKeyName
from contactsync.errors import RootKeyRefused, RootKeyUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

T = TypeVar("T")

_PROBE: Final = b"contactsync root key probe"
_PASSING: Final = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "RequestTimeout",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_REFUSALS: Final = {
    "AccessDeniedException": "these credentials have no right to the key",
    "DisabledException": "the key is disabled",
    "ExpiredTokenException": "the credentials have expired",
    "InvalidKeyUsageException": "the key is not one that encrypts",
    "KMSInvalidStateException": "the key is not in use: disabled, or about to be deleted",
    "NotFoundException": "there is no such key",
    "UnrecognizedClientException": "the credentials are not accepted",
}
_UNOPENED: Final = frozenset({"IncorrectKeyException", "InvalidCiphertextException"})


class _Answered(Protocol):
    """What is used of a KMS client."""

    def encrypt(self, **arguments: object) -> Mapping[str, Any]: ...
    def decrypt(self, **arguments: object) -> Mapping[str, Any]: ...
    def re_encrypt(self, **arguments: object) -> Mapping[str, Any]: ...
    def describe_key(self, **arguments: object) -> Mapping[str, Any]: ...
    def rotate_key_on_demand(self, **arguments: object) -> Mapping[str, Any]: ...
    def list_key_rotations(self, **arguments: object) -> Mapping[str, Any]: ...
    def close(self) -> None: ...


class KmsRootKey:
    """A `RootKeyProvider` over one symmetric KMS key; wrapped bytes are KMS's own.

    A tenant key's name is the encryption context, so CloudTrail shows which tenant's key was asked for (a random
    UUID). KMS keeps every version that a key ever had and does not tell which one wrapped what: `version_of` answers
    None, and `destroy` refuses.
    """

    def __init__(self, key_id: str, region: str | None = None, endpoint: str | None = None) -> None:
        """`key_id` is the key's id or ARN, or an alias. Credentials come the way boto3 finds them.

        Raises:
            SettingsError: boto3 is not installed, there is no region, or the endpoint is not usable.
        """
        self._key_id = key_id
        self._client = cast("_Answered", aws_client("kms", region, endpoint))

    async def wrap(self, name: TenantKeyName, plaintext: bytes) -> bytes:
        """See `RootKeyProvider`."""
        answer = await _called(
            self._client.encrypt, KeyId=self._key_id, Plaintext=plaintext, EncryptionContext=_context(name)
        )
        return _bytes(answer, "CiphertextBlob")

    async def unwrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """See `RootKeyProvider`."""
        answer = await _called(
            self._client.decrypt, KeyId=self._key_id, CiphertextBlob=wrapped, EncryptionContext=_context(name)
        )
        return _bytes(answer, "Plaintext")

    async def rewrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """See `RootKeyProvider`. The plaintext stays inside KMS."""
        answer = await _called(
            self._client.re_encrypt,
            CiphertextBlob=wrapped,
            SourceKeyId=self._key_id,
            SourceEncryptionContext=_context(name),
            DestinationKeyId=self._key_id,
            DestinationEncryptionContext=_context(name),
        )
        return _bytes(answer, "CiphertextBlob")

    async def newest(self) -> int:
        """See `RootKeyProvider`: one more than the key's rotations."""
        versions, marker = 1, None
        while True:
            page = await _called(
                self._client.list_key_rotations, KeyId=self._key_id, **({"Marker": marker} if marker else {})
            )
            versions += len(page["Rotations"])
            marker = page.get("NextMarker")
            if not marker:
                return versions

    async def version_of(self, wrapped: bytes) -> int | None:  # noqa: ARG002 - KMS does not tell
        """See `RootKeyProvider`."""
        return None

    async def rotate(self) -> int:
        """See `RootKeyProvider`. KMS makes the new version within minutes; the number is the one it will have."""
        before = await self.newest()
        await _called(self._client.rotate_key_on_demand, KeyId=self._key_id)
        return before + 1

    async def destroy(self, version: int) -> None:  # noqa: ARG002 - no version can be
        """See `RootKeyProvider`.

        Raises:
            RootKeyRefused: always.
        """
        raise RootKeyRefused("AWS KMS keeps all versions of a key; only a key as a whole can be deleted, in AWS itself")

    async def health(self) -> None:
        """See `RootKeyProvider`."""
        name = TenantKeyName(UUID(int=0), 1, new_kid())
        if await self.unwrap(name, await self.wrap(name, _PROBE)) != _PROBE:
            raise RootKeyRefused

    async def close(self) -> None:
        """Let go of connections."""
        await asyncio.to_thread(self._client.close)


def _context(name: TenantKeyName) -> dict[str, str]:
    return {
        "contactsync:tenant": str(name.tenant_id),
        "contactsync:version": str(name.version),
        "contactsync:key": name.kid.hex(),
    }


async def _called(call: "Callable[..., Mapping[str, Any]]", **arguments: object) -> Mapping[str, Any]:
    with _mapped():
        return await asyncio.to_thread(call, **arguments)


@contextmanager
def _mapped() -> Generator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - an extra

    try:
        yield
    except ClientError as error:
        raise _meaning(error) from None
    except NoCredentialsError:
        raise RootKeyUnavailable("there are no AWS credentials; give this process a role or keys") from None
    except BotoCoreError:
        raise RootKeyUnavailable("AWS KMS does not answer; nothing is sealed or opened until it does") from None


def _meaning(error: "ClientError") -> RootKeyUnavailable | RootKeyRefused:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= 500 or status == 429:
        return RootKeyUnavailable("AWS KMS is overloaded or in trouble; it is tried again")
    if code in _REFUSALS:
        return RootKeyRefused(f"AWS KMS says no: {_REFUSALS[code]}")
    return RootKeyRefused() if code in _UNOPENED else RootKeyRefused("AWS KMS does not take the request")


def _bytes(answer: Mapping[str, Any], member: str) -> bytes:
    value = answer.get(member)
    if not isinstance(value, bytes):
        raise RootKeyUnavailable("what answers at AWS KMS's address is no KMS; check it")
    return value
