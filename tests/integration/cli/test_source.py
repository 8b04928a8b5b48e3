"""Trying out the description of a source, and connecting by it."""

import asyncio
import io
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console
from tests.integration.cli.running import Site, printed, ref_of

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Field
from contactsync.activities.sources.simulator.face import serving
from contactsync.activities.sources.simulator.gate import SignIn
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.settings_file import rest_toml
from contactsync.errors import AddressForbidden, CredentialsRejected, SecretUnavailable, SettingsError
from contactsync.workers.cli.source import try_source
from contactsync.workers.settings import PREFIX
from contactsync.workers.syncs import Sync

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
NETWORKS = f"{PREFIX}SOURCE_NETWORKS"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave to reach this machine, and the provider's secret; no database and no Temporal."""
    monkeypatch.setenv(NETWORKS, "127.0.0.0/8")
    monkeypatch.setenv("PROVIDER_SECRET", "simulated")


def example(name: str, url: str, folder: Path, *others: tuple[str, str]) -> Path:
    """A documented example that reads the simulator at `url` instead."""
    text = (EXAMPLES / name).read_text()
    for documented, real in others:
        assert documented in text
        text = text.replace(documented, f"{url}{real}")
    path = folder / name
    path.write_text(text)
    return path


CURSOR = ("https://api.crm.example/v2/", "/cursor/")
OFFSET = (("https://members.example/api/", "/offset/"), ("https://login.members.example/token", "/token"))


@pytest.mark.usefixtures("here")
async def test_trying_a_file(tmp_path: Path) -> None:
    """Pages are counted, properties named with whether they are kept, and samples show first letters only."""
    async with serving(Provider(500, sign_in=SignIn("bearer"))) as url:
        file = example("rest-cursor.toml", url, tmp_path, CURSOR)
        file.write_text(file.read_text().replace('"me"', '"/me"'))
        report = await try_source(file, "env:PROVIDER_SECRET", DEFAULT_FIELDS)
    found = printed(report)
    assert (found["pages"], found["contacts"], found["total"], found["is_complete"]) == (2, 400, 500, False)
    assert found["dropped"] == ["notes"]
    assert found["properties"]["emails"] == {"contacts": 400, "kept": True}
    assert found["not_mapped"] == ["created_at", "folder", "updated_ms"]
    assert found["changed_in_a_day"] == 200
    assert len(found["samples"]) == 3
    assert found["samples"][0]["name"]["components"][0] == {"kind": "given", "value": "J…"}
    assert "notes" not in found["samples"][0]
    seen = json.dumps(found) + _drawn(report.picture())
    assert not any(text in seen for text in ("Jürgen", "Müller", "people.example", "+4915", "Met at", "Nordlicht"))


@pytest.mark.usefixtures("here")
async def test_trying_a_file_with_parts_and_oauth(tmp_path: Path) -> None:
    """The other documented example: a token is fetched, and parts are read one after the other."""
    provider = Provider(50, sign_in=SignIn("oauth"))
    async with serving(provider) as url:
        file = example("rest-offset.toml", url, tmp_path, *OFFSET)
        report = await try_source(file, "env:PROVIDER_SECRET", frozenset(Field), pages=100)
    found = printed(report)
    assert (found["contacts"], found["is_complete"], found["repeated_ids"], found["dropped"]) == (50, True, 0, [])
    assert provider.gate.given == 1


@pytest.mark.usefixtures("here")
async def test_records_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """A mapping that does not fit is seen at once: what is set aside is counted by reason."""
    async with serving(Provider(20)) as url:
        file = tmp_path / "wrong.toml"
        misspelt = 'emails = "emails[].{adress: address}"'
        file.write_text(re.sub("^emails = .*$", misspelt, rest_toml(url), flags=re.MULTILINE))
        found = printed(await try_source(file, None, DEFAULT_FIELDS))
    assert (found["contacts"], found["set_aside"], found["unreadable"]) == (0, 20, {"invalid": 20})


@pytest.mark.usefixtures("here")
async def test_what_ends_a_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a secret or an address that is of no use ends it with one sentence that holds nothing of them."""
    wrong = tmp_path / "wrong.toml"
    for text in ("planted = [", "planted = 1", '\udcff"planted'):
        wrong.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(SettingsError) as caught:
            await try_source(wrong, None, DEFAULT_FIELDS)
        assert "[" not in str(caught.value)
    with pytest.raises(SettingsError):
        await try_source(tmp_path / "missing.toml", None, DEFAULT_FIELDS)
    async with serving(Provider(1, sign_in=SignIn("bearer"))) as url:
        file = tmp_path / "right.toml"
        file.write_text(rest_toml(url))
        with pytest.raises(CredentialsRejected):
            await try_source(file, None, DEFAULT_FIELDS)
        with pytest.raises(SecretUnavailable):
            await try_source(file, "env:NOT_SET_ANYWHERE", DEFAULT_FIELDS)
        monkeypatch.setenv(NETWORKS, "")
        with pytest.raises(AddressForbidden):
            await try_source(file, None, DEFAULT_FIELDS)


async def test_connecting_by_a_file(site: Site, tmp_path: Path) -> None:
    """`connection add --file` checks the source, keeps the file's settings sealed, and live sync reads it."""
    tenant_id = await site.tenant()
    provider = Provider(230, sign_in=SignIn("oauth"))
    (tmp_path / "secret").write_text("simulated\n")
    async with serving(provider) as url, site.worker():
        file = example("rest-offset.toml", url, tmp_path, *OFFSET)
        secret = f"file:{tmp_path / 'secret'}"
        added = await _command("connection", "add", "--tenant", str(tenant_id), "--kind", "rest", "--file", str(file),
                               "--secret", secret, "--interval", "1d", "--json")  # fmt: skip
        sync = Sync(tenant_id, UUID(added["connection"]["id"]), "rest")
        result = await site.syncs.result(sync, await site.syncs.sync_now(sync))
        assert result.outcome == "completed"
    assert (await site.parts.contacts.counts(ref_of(sync))).live == 230
    assert added["source"]["incremental"] is True
    kept = await site.parts.directory.get_connection(sync.connection_id, tenant_id)
    assert kept.settings["fields"]


async def _command(*arguments: str) -> Mapping[str, Any]:
    """What the command prints, run as a process of its own in this environment."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "contactsync", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)


def _drawn(picture: object) -> str:
    """As people see it."""
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(picture)
    return console.export_text()
