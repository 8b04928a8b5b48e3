"""What is AWS KMS's own: aliases, and what the encryption context shows. Revocation is not tested: moto has none."""

from typing import Final
from uuid import UUID, uuid4

import pytest
from tests.integration.keys.roots import kms_key
from tests.moto_server import REGION

from contactsync.codecs.keys.kms_root import KmsRootKey
from contactsync.codecs.keys.root import TenantKeyName
from contactsync.errors import RootKeyRefused, RootKeyUnavailable
from contactsync.workers.embedded.ports import LOOPBACK, free_port

NAME: Final = TenantKeyName(UUID(int=7), 1, bytes(range(16)))


async def test_a_key_is_one_by_id_and_by_alias(aws: str) -> None:
    """What was wrapped by the alias is unwrapped by the id, and the other way round."""
    alias = f"alias/contactsync-{uuid4()}"
    by_id, by_alias = KmsRootKey(await kms_key(aws, alias), REGION, aws), KmsRootKey(alias, REGION, aws)
    assert await by_id.unwrap(NAME, await by_alias.wrap(NAME, b"secret")) == b"secret"
    assert await by_alias.unwrap(NAME, await by_id.rewrap(NAME, await by_id.wrap(NAME, b"secret"))) == b"secret"
    for root in (by_id, by_alias):
        await root.close()


async def test_a_key_that_is_not_there_is_refused(aws: str) -> None:
    """Every call with a mistyped key says that there is none."""
    root = KmsRootKey(str(uuid4()), REGION, aws)
    for call in (root.health, root.newest, root.rotate, lambda: root.wrap(NAME, b"secret")):
        with pytest.raises(RootKeyRefused, match="no such key"):
            await call()
    await root.close()


@pytest.mark.usefixtures("aws")
async def test_nobody_there_is_unavailable() -> None:
    """An endpoint where nobody listens is an error that passes."""
    root = KmsRootKey("a-key", REGION, f"http://{LOOPBACK}:{free_port()}")
    with pytest.raises(RootKeyUnavailable, match="does not answer"):
        await root.health()
    await root.close()
