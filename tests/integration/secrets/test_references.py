"""References to real stores: OpenBao, and AWS Secrets Manager as moto plays it."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import boto3
import pytest
from tests.moto_server import REGION
from tests.openbao import OpenBao

from contactsync.activities.sources.secrets import Secrets
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.errors import SecretUnavailable, SettingsError
from contactsync.workers.bootstrap import opened
from contactsync.workers.embedded.folders import write_private
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.setting_secrets import opened_secrets, secret_of
from contactsync.workers.settings import PREFIX, SecretSetting, Settings

PROGRAM = Path(__file__).with_name("resolving_program.py")
PLANTED = "planted-Grünewald"
READ_CRM = 'path "secret/data/crm/*" { capabilities = ["read"] }'


def reaching(bao: OpenBao, **others: object) -> Settings:
    """Settings that say where OpenBao is."""
    there = {"vault_address": bao.address, "vault_token_file": bao.token_file, "vault_ca_file": bao.ca_file}
    return Settings.model_validate({**there, **others})


@pytest.fixture
async def vault(openbao: OpenBao) -> AsyncGenerator[Secrets]:
    """Secrets of OpenBao."""
    await openbao.write_secret("crm/eu", token=PLANTED, hollow="")
    async with opened_secrets(reaching(openbao)) as secrets:
        yield secrets


async def test_a_field_in_vault(vault: Secrets, openbao: OpenBao) -> None:
    """`vault:path#field` is the field's newest value, at each use anew."""
    assert await vault.resolve("vault:secret/crm/eu#token") == PLANTED
    await openbao.write_secret("crm/eu", token="renewed")
    assert await vault.resolve("vault:secret/crm/eu#token") == "renewed"


@pytest.mark.parametrize("name", ["crm/eu#missing", "crm/eu#hollow", "crm/never#token"])
async def test_p24_what_vault_does_not_have(vault: Secrets, name: str) -> None:
    """P24: a field or secret that is not there is tried again, and no error says what was asked for."""
    with pytest.raises(SecretUnavailable) as caught:
        await vault.resolve(f"vault:secret/{name}")
    assert caught.value.__cause__ is None
    assert not set(name.replace("#", "/").split("/")) & set(str(caught.value).split())


async def test_vault_says_no(openbao: OpenBao) -> None:
    """Another path than a token may read, a revoked token and a port of nobody are tried again."""
    await openbao.write_secret("crm/us", token="mine")
    await openbao.write_secret("other", token="theirs")
    token = await openbao.token("crm", READ_CRM)
    async with opened_secrets(reaching(openbao, vault_token_file=token)) as secrets:
        assert await secrets.resolve("vault:secret/crm/us#token") == "mine"
        with pytest.raises(SecretUnavailable, match="no right"):
            await secrets.resolve("vault:secret/other#token")
        await openbao.client.call("POST", "auth/token/revoke", {"token": token.read_text()})
        with pytest.raises(SecretUnavailable, match="not accepted"):
            await secrets.resolve("vault:secret/crm/us#token")
    async with opened_secrets(reaching(openbao, vault_address=f"https://{LOOPBACK}:{free_port()}")) as secrets:
        with pytest.raises(SecretUnavailable, match="does not answer"):
            await secrets.resolve("vault:secret/crm/us#token")


async def test_a_process_that_knows_no_vault() -> None:
    """Without Vault's settings the error names them."""
    async with opened_secrets(Settings.model_validate({})) as secrets:
        with pytest.raises(SettingsError, match="CONTACTSYNC_VAULT_ADDRESS"):
            await secrets.resolve("vault:secret/crm#token")


@pytest.fixture
async def manager(aws: str) -> Any:
    """AWS Secrets Manager with some secrets."""
    session: Any = boto3.session.Session()
    client = session.client("secretsmanager", region_name=REGION, endpoint_url=aws)
    kept: dict[str, dict[str, Any]] = {
        "crm/text": {"SecretString": PLANTED},
        "crm/json": {"SecretString": json.dumps({"token": PLANTED, "port": 5432, "empty": ""})},
        "crm/bytes": {"SecretBinary": PLANTED.encode()},
    }
    known = {each["Name"] for each in client.list_secrets()["SecretList"]}
    for name, content in kept.items():
        if name not in known:
            await asyncio.to_thread(client.create_secret, Name=name, **content)
    return client


@pytest.fixture
async def from_aws(aws: str, manager: object) -> AsyncGenerator[Secrets]:  # noqa: ARG001  # it holds the secrets
    """Secrets of AWS."""
    async with opened_secrets(Settings.model_validate({"aws_region": REGION, "aws_endpoint": aws})) as secrets:
        yield secrets


async def test_secrets_of_aws(from_aws: Secrets, manager: Any) -> None:
    """`aws-sm:name` is the secret's text, `aws-sm:name#field` a field of its JSON; an ARN names it, too."""
    assert await from_aws.resolve("aws-sm:crm/text") == PLANTED
    assert await from_aws.resolve("aws-sm:crm/json#token") == PLANTED
    arn: str = manager.describe_secret(SecretId="crm/json")["ARN"]
    assert await from_aws.resolve(f"aws-sm:{arn}#token") == PLANTED


@pytest.mark.parametrize(
    "name", ["crm/never", "crm/text#token", "crm/json#missing", "crm/json#port", "crm/json#empty", "crm/bytes"]
)
async def test_p24_what_aws_does_not_have(from_aws: Secrets, name: str) -> None:
    """P24: a secret or field that is not there, or is no text, is tried again, and no error says what was asked for."""
    with pytest.raises(SecretUnavailable) as caught:
        await from_aws.resolve(f"aws-sm:{name}")
    assert caught.value.__cause__ is None
    assert "crm" not in str(caught.value)
    assert PLANTED not in str(caught.value)


async def test_aws_without_credentials_or_answer(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port of nobody, and a process without credentials, are tried again; a missing boto3 is named."""
    nowhere = {"aws_region": REGION, "aws_endpoint": f"http://{LOOPBACK}:{free_port()}"}
    async with opened_secrets(Settings.model_validate(nowhere)) as secrets:
        with pytest.raises(SecretUnavailable, match="does not answer"):
            await secrets.resolve("aws-sm:crm/text")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    settings = Settings.model_validate({"aws_region": REGION, "aws_endpoint": aws})
    async with opened_secrets(settings) as secrets:
        with pytest.raises(SecretUnavailable, match="no AWS credentials"):
            await secrets.resolve("aws-sm:crm/text")
    monkeypatch.setitem(sys.modules, "boto3", None)
    async with opened_secrets(settings) as secrets:
        with pytest.raises(SettingsError, match=r"contactsync\[aws\]"):
            await secrets.resolve("aws-sm:crm/text")


NAMES: tuple[SecretSetting, ...] = ("database_password", "temporal_api_key", "codec_token")


@pytest.mark.parametrize("name", NAMES)
async def test_settings_refer_to_secrets(name: SecretSetting, openbao: OpenBao, tmp_path: Path) -> None:
    """Each secret of the settings may be a reference or a file, and never both."""
    await openbao.write_secret("settings", **{name: PLANTED})
    write_private(file := tmp_path / "secret", f"{PLANTED}\n")
    reference = {f"{name}_secret": f"vault:secret/settings#{name}"}
    assert await secret_of(reaching(openbao), name) is None
    assert await secret_of(reaching(openbao, **reference), name) == PLANTED
    assert await secret_of(Settings.model_validate({f"{name}_file": file}), name) == PLANTED
    with pytest.raises(SettingsError, match=f"{PREFIX}{name.upper()}_SECRET and"):
        await secret_of(reaching(openbao, **reference, **{f"{name}_file": file}), name)
    with pytest.raises(SecretUnavailable, match=f"{PREFIX}{name.upper()}: "):
        await secret_of(Settings.model_validate({f"{name}_file": tmp_path / "not there"}), name)
    with pytest.raises(ValueError, match="a secret is named as") as caught:
        Settings.model_validate({f"{name}_secret": PLANTED})
    assert PLANTED not in str(caught.value)


async def test_the_database_password_in_vault(
    openbao: OpenBao, database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts of a process are opened with a password that is nowhere but in Vault; the URL need not have it."""
    parts = urlsplit(database_urls.app)
    await openbao.write_secret("database", password=parts.password or "")
    bare = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}"))
    FileRootKey.create(tmp_path / "root.key")
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    settings = reaching(
        openbao,
        database_url=bare,
        database_password_secret="vault:secret/database#password",
        root_key_file=tmp_path / "root.key",
    )
    async with opened(settings) as process:
        await process.database.check()
        assert process.settings.keys_database() == process.settings.database() == database_urls.app
        assert (parts.password or "?") not in repr(process.settings)


async def test_nothing_of_a_secret_is_shown(
    openbao: OpenBao, aws: str, manager: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted secrets of every store, and the names of those that fail, are in no line a process writes at DEBUG."""
    assert manager
    await openbao.write_secret("shown/planted-path", field=PLANTED)
    write_private(file := tmp_path / "secret", PLANTED)
    good = ("env:PLANTED_NAME", f"file:{file}", "vault:secret/shown/planted-path#field", "aws-sm:crm/text")
    bad = ("env:PLANTED_NO", "file:/planted", "vault:secret/planted-no#planted", "aws-sm:planted-no", PLANTED)
    settings: dict[str, object] = {
        "VAULT_ADDRESS": openbao.address,
        "VAULT_TOKEN_FILE": openbao.token_file,
        "VAULT_CA_FILE": openbao.ca_file,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT": aws,
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"{PREFIX}{name}", str(value))
    monkeypatch.setenv("PLANTED_NAME", PLANTED)
    process = await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), *good, *bad, stdout=PIPE, stderr=PIPE)
    written = b"\n".join(await process.communicate()).decode()
    lines = written.splitlines()
    assert [line.split()[0] for line in lines[: len(good)]] == [str(len(PLANTED))] * len(good)
    codes = [line.split()[0] for line in lines[len(good) : len(good) + len(bad)]]
    assert codes == ["SecretUnavailable"] * 4 + ["SettingsError"]
    assert "someone.else" in written, "logs at DEBUG are there to be looked at"
    for planted in ("planted", "PLANTED", "Grünewald", "Gr\\u00fcnewald", openbao.token_file.read_text()):
        assert planted not in written
