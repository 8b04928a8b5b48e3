"""The environments of docker-compose.yml are all that its processes need: here they run outside of containers."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
import pytest
from tests.prepared_postgres import prepared_postgres

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.temporal import TemporalServer

from .conftest import ROOT, Installed
from .deployment import Deployment

TOKEN = "made-up-token-" + "0123456789abcdef" * 2
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Composed:
    """The services' processes, with addresses and paths of this machine in place of the containers'."""

    installed: Installed
    folder: Path
    environments: Mapping[str, Mapping[str, str]]
    codec_url: str

    def service(self, name: str) -> Deployment:
        """A service's command and environment."""
        return Deployment(self.installed, self.environments[name], self.folder)


@pytest.fixture
async def composed(
    installed_contactsync: Installed, temporal_server: TemporalServer, tmp_path: Path
) -> AsyncIterator[Composed]:
    """The compose file's services on a PostgreSQL that its own files prepared."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    FileRootKey.create(secrets / "root_key")
    (secrets / "codec_token").write_text(f"{TOKEN}\n")
    port = free_port()
    async with prepared_postgres(secrets) as postgres:
        here = {
            "@postgres/": f"@{LOOPBACK}:{postgres.port}/",
            "/run/secrets": str(secrets),
            "temporal:7233": temporal_server.address,
            "8081": str(port),
        }
        yield Composed(
            installed_contactsync, tmp_path, _environments(here, temporal_server), f"http://{LOOPBACK}:{port}"
        )


def _environments(here: Mapping[str, str], temporal: TemporalServer) -> dict[str, dict[str, str]]:
    """Each service's settings; the dev server has a namespace of its own name."""
    done = subprocess.run(  # noqa: S603  # a tool of the dev group
        [str(Path(sys.executable).parent / "docker-compose"), "--profile", "*", "config", "--format", "json"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    services = cast("dict[str, dict[str, dict[str, str]]]", json.loads(done.stdout)["services"])
    environments = {name: service.get("environment") or {} for name, service in services.items()}
    return {
        name: {key: _replaced(value, here) for key, value in environment.items() if key.startswith("CONTACTSYNC_")}
        | {"CONTACTSYNC_TEMPORAL_NAMESPACE": temporal.namespace}
        for name, environment in environments.items()
    }


def _replaced(value: str, here: Mapping[str, str]) -> str:
    for there, mine in here.items():
        value = value.replace(there, mine)
    return value


async def test_every_process_starts_with_what_compose_gives_it(composed: Composed) -> None:
    """`migrate` ends well; then doctor, as the operator and with a worker running, finds no problem; logs are JSON."""
    migrated = await composed.service("migrate").run("migrate")
    assert migrated.code == 0, migrated
    operator = composed.service("cli")
    added = await operator.json("tenant", "add", "Composed")
    assert added.document
    async with composed.service("worker").worker():
        examined = await operator.run("doctor", "--json")
    assert examined.document["problems"] == 0, examined
    assert examined.code == 0
    said = [json.loads(line)["event"] for line in (composed.folder / "worker.log").read_text().splitlines()]
    assert "worker started" in said


async def test_the_codec_server_answers_those_who_have_the_token(composed: Composed) -> None:
    """`/health` answers anybody, as the health check needs; `/decode` only those who have the token."""
    migrated = await composed.service("migrate").run("migrate")
    assert migrated.code == 0, migrated
    child = await composed.service("codec-server").start("codec-server")
    async with httpx.AsyncClient(base_url=composed.codec_url) as client:
        await child.until(lambda: _healthy(client), READY_SECONDS)
        body = '{"payloads": []}'
        headers = {"content-type": "application/json", "x-namespace": "default"}
        stranger = await client.post("/decode", content=body, headers=headers)
        operator = await client.post("/decode", content=body, headers={**headers, "authorization": f"Bearer {TOKEN}"})
    await child.stop()
    assert (stranger.status_code, operator.status_code) == (401, 200)


async def _healthy(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health")).status_code == 200
    except httpx.TransportError:
        await asyncio.sleep(0)
        return False
