"""A process whose root key is not a file: settings in, keys out."""

from uuid import uuid4

import pytest
from tests.integration.keys.roots import kms_key, transit_key
from tests.moto_server import REGION
from tests.openbao import OpenBao

from contactsync.activities.store.directory import TenantPolicy
from contactsync.errors import RootKeyRefused
from contactsync.workers.bootstrap import opened
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.settings import Settings


@pytest.fixture(params=["vault", "aws-kms"])
async def given(request: pytest.FixtureRequest, openbao: OpenBao, aws: str) -> dict[str, object]:
    """The settings that name a new root key of a kind."""
    if request.param == "aws-kms":
        return {"root_key": f"aws-kms:{await kms_key(aws)}", "aws_region": REGION, "aws_endpoint": aws}
    return {
        "root_key": f"vault:transit/{await transit_key(openbao)}",
        "vault_address": openbao.address,
        "vault_token_file": openbao.token_file,
        "vault_ca_file": openbao.ca_file,
    }


async def test_one_process_opens_what_another_sealed(
    given: dict[str, object], database_urls: DatabaseUrls, openbao: OpenBao
) -> None:
    """Two processes with the same settings share their tenants' keys; a third with another root key refuses."""
    settings = Settings.model_validate({"database_url": database_urls.app, **given})
    async with opened(settings) as parts:
        await parts.ring.check()
        tenant = await parts.directory.add_tenant("Tenant of a test", TenantPolicy())
        key = await parts.ring.payload_key(tenant.tenant_id)
    async with opened(settings) as parts:
        await parts.ring.check()
        again = await parts.ring.open_payload_key(key.kid)
        assert (again.tenant_id, again.secret.expose()) == (tenant.tenant_id, key.secret.expose())
    other = {
        "root_key": f"vault:transit/{await transit_key(openbao)}",
        "vault_address": openbao.address,
        "vault_token_file": openbao.token_file,
        "vault_ca_file": openbao.ca_file,
    }
    async with opened(Settings.model_validate({"database_url": database_urls.app, **other})) as parts:
        with pytest.raises(RootKeyRefused):
            await parts.ring.check()
        with pytest.raises(RootKeyRefused):
            await parts.ring.create_tenant(uuid4())
