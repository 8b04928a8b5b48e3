"""Root keys of each kind, for one suite of tests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import boto3
from tests.moto_server import REGION
from tests.openbao import OpenBao

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.kms_root import KmsRootKey
from contactsync.codecs.keys.root import RootKeyProvider
from contactsync.codecs.keys.vault_root import VaultRootKey

Opener = Callable[[], RootKeyProvider]
"""Opens one root key, each time as another process would."""


@dataclass(frozen=True)
class Kind:
    """`make` makes a root key that nobody has."""

    name: str
    make: Callable[[], Awaitable[Opener]]


def files(folder: Path) -> Kind:
    """Root keys in files of this folder."""

    async def make() -> Opener:
        path = folder / f"{uuid4()}.key"
        FileRootKey.create(path)
        return lambda: FileRootKey(path)

    return Kind("file", make)


def transit(openbao: OpenBao) -> Kind:
    """Transit keys of this OpenBao."""

    async def make() -> Opener:
        key = await transit_key(openbao)
        return lambda: VaultRootKey(openbao.client, "transit", key)

    return Kind("openbao", make)


def kms(endpoint: str) -> Kind:
    """KMS keys of this moto."""

    async def make() -> Opener:
        key_id = await kms_key(endpoint)
        return lambda: KmsRootKey(key_id, REGION, endpoint)

    return Kind("aws-kms", make)


async def transit_key(openbao: OpenBao, **options: object) -> str:
    """The name of a new transit key."""
    key = f"root-{uuid4()}"
    await openbao.client.call("POST", f"transit/keys/{key}", options)
    return key


async def kms_key(endpoint: str, alias: str | None = None) -> str:
    """The id of a new KMS key, which has the alias too."""

    def create() -> str:
        client: Any = cast("Any", boto3).client("kms", region_name=REGION, endpoint_url=endpoint)
        try:
            key_id: str = client.create_key()["KeyMetadata"]["KeyId"]
            if alias is not None:
                client.create_alias(AliasName=alias, TargetKeyId=key_id)
        finally:
            client.close()
        return key_id

    return await asyncio.to_thread(create)
