"""What travels to Vault and AWS is in no log, whatever the levels are."""

import logging
from base64 import b64encode
from collections.abc import Iterator
from typing import Final
from uuid import uuid4

import pytest
from tests.integration.keys.roots import kms_key, transit_key
from tests.moto_server import REGION
from tests.openbao import OpenBao

from contactsync.codecs.keys.kms_root import KmsRootKey
from contactsync.codecs.keys.root import RootKeyProvider, TenantKeyName
from contactsync.codecs.keys.vault_root import VaultRootKey

SECRET: Final = b"a planted tenant key, 32 bytes.."
LIBRARIES: Final = ("httpx", "httpcore", "httpcore.http11", "boto3", "botocore", "botocore.endpoint", "urllib3")


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every level of every library is logged."""
    before = {name: logging.getLogger(name).level for name in LIBRARIES}
    caplog.set_level(logging.DEBUG)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield caplog
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


async def test_no_key_and_no_token_is_logged(openbao: OpenBao, aws: str, everything: pytest.LogCaptureFixture) -> None:
    """At DEBUG neither the tenant key, as text or base64, nor the token is logged, nor anything by these libraries."""
    roots: list[RootKeyProvider] = [
        VaultRootKey(openbao.client, "transit", await transit_key(openbao)),
        KmsRootKey(await kms_key(aws), REGION, aws),
    ]
    name = TenantKeyName(uuid4(), 1, bytes(16))
    everything.clear()
    for root in roots:
        assert await root.unwrap(name, await root.wrap(name, SECRET)) == SECRET
    planted = (SECRET.decode(), b64encode(SECRET).decode(), openbao.token_file.read_text())
    assert not [text for text in planted if text in everything.text]
    assert not [record.name for record in everything.records if record.name.startswith(LIBRARIES)]
    await roots[1].close()
