"""The Vault client against a real OpenBao."""

from pathlib import Path

import pytest
from tests.openbao import OpenBao

from contactsync.codecs.keys.vault import VaultClient, VaultRefused, VaultUnavailable
from contactsync.codecs.keys.vault_root import VaultRootKey
from contactsync.workers.embedded.folders import write_private
from contactsync.workers.embedded.ports import LOOPBACK, free_port

READ_ONE = 'path "secret/data/allowed" { capabilities = ["read"] }'


async def test_a_secret_is_read_by_its_fields(openbao: OpenBao) -> None:
    """`read` answers the text fields of the newest version."""
    await openbao.write_secret("crm/tokens", refresh="old")
    await openbao.write_secret("crm/tokens", refresh="new", access="too")
    assert await openbao.client.read("secret/crm/tokens") == {"refresh": "new", "access": "too"}


async def test_what_is_not_there_is_refused(openbao: OpenBao) -> None:
    """A secret that never was, and one that was deleted, are both refused with status 404."""
    await openbao.write_secret("gone", field="value")
    await openbao.client.call("DELETE", "secret/data/gone")
    for path in ("secret/gone", "secret/never", "no-such-mount/x"):
        with pytest.raises(VaultRefused) as refused:
            await openbao.client.read(path)
        assert refused.value.status in {403, 404}


async def test_a_token_opens_only_what_its_policy_names(openbao: OpenBao) -> None:
    """With a token for one path the neighbour is refused, and a token of nobody is refused everything."""
    await openbao.write_secret("allowed", field="mine")
    await openbao.write_secret("other", field="theirs")
    token = await openbao.token("one-path", READ_ONE)
    client = VaultClient(openbao.address, token, openbao.ca_file)
    try:
        assert await client.read("secret/allowed") == {"field": "mine"}
        with pytest.raises(VaultRefused, match="no right"):
            await client.read("secret/other")
        write_private(token, "s.nobody")  # as an agent does: the file is read for each call
        with pytest.raises(VaultRefused, match="token is not accepted"):
            await client.read("secret/allowed")
    finally:
        await client.close()


async def test_nobody_there_is_unavailable(openbao: OpenBao) -> None:
    """A port where nobody listens is an error that passes, not a refusal."""
    client = VaultClient(f"https://{LOOPBACK}:{free_port()}", openbao.token_file, openbao.ca_file)
    with pytest.raises(VaultUnavailable):
        await client.read("secret/any")
    await client.close()


async def test_a_certificate_of_nobody_is_not_trusted(openbao: OpenBao) -> None:
    """Without its CA file OpenBao's certificate is not trusted, and the token is not sent."""
    client = VaultClient(openbao.address, openbao.token_file)
    with pytest.raises(VaultUnavailable, match="certificate is not trusted"):
        await client.read("secret/any")
    await client.close()


async def test_no_token_is_unavailable(openbao: OpenBao, tmp_path: Path) -> None:
    """A token file that is missing, empty or nonsense is an error that passes once it is put right."""
    path = tmp_path / "token"
    client = VaultClient(openbao.address, path, openbao.ca_file)
    for content in (None, "", "\n", "two words", "é"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(VaultUnavailable, match="token file"):
            await client.read("secret/any")
    await client.close()


async def test_a_namespace_is_a_world_of_its_own(openbao: OpenBao) -> None:
    """With a namespace the client reaches what is in it, and nothing of the one above."""
    await openbao.client.call("POST", "sys/namespaces/team", {})
    client = VaultClient(openbao.address, openbao.token_file, openbao.ca_file, "team")
    await client.call("POST", "sys/mounts/inside", {"type": "transit"})
    await client.call("POST", "inside/keys/root", {})
    await VaultRootKey(client, "inside", "root").health()
    with pytest.raises(VaultRefused):
        await openbao.client.call("GET", "inside/keys/root")
    await client.close()
