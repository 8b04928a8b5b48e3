"""The embedded Temporal server."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from temporalio.api.common.v1 import Priority, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.service import ConnectConfig, ServiceClient

from contactsync.errors import SettingsError
from contactsync.workers.embedded.folders import temporary_folder
from contactsync.workers.embedded.temporal import TemporalOptions, TemporalServer

POLL = timedelta(seconds=30)
LISTEN, LOOPBACK_IN_PROC = "0A", "0100007F"
BIG, LATE, FIRST = 120, 12, 20


async def test_fairness_is_on(temporal_server: TemporalServer) -> None:
    """Tenants with little to do, who come late, do not wait until a big backlog is done (who is next is drawn)."""
    client = await _client(temporal_server)
    queue = f"fairness-{uuid4()}"
    late = [f"late-{number}" for number in range(LATE)]
    await _backlog(client, temporal_server.namespace, queue, ["big"] * BIG)
    await _backlog(client, temporal_server.namespace, queue, late)
    first = [await _next_tenant(client, temporal_server.namespace, queue) for _ in range(FIRST)]
    assert any(tenant in late for tenant in first)


async def test_a_taken_port_is_told(temporal_server: TemporalServer) -> None:
    """A port that was asked for and is taken is told in a sentence."""
    with temporary_folder() as folder, pytest.raises(SettingsError, match=f"port {temporal_server.port} is taken"):
        await TemporalServer.start(folder / "temporal", TemporalOptions(port=temporal_server.port))


async def test_it_listens_on_loopback_only(temporal_server: TemporalServer) -> None:
    """No port of the server can be reached from another machine."""
    listening = [row for row in _tcp_rows(temporal_server.child.pid) if row.state == LISTEN]
    assert len(listening) >= 2
    assert {row.address for row in listening} == {LOOPBACK_IN_PROC}


async def test_the_web_interface_knows_the_codec_server() -> None:
    """Temporal Web's own settings name the codec endpoint."""
    options = TemporalOptions(codec_endpoint="http://127.0.0.1:9")
    with temporary_folder() as folder:
        server = await TemporalServer.start(folder / "temporal", options)
        async with httpx.AsyncClient(trust_env=False) as http:
            settings = (await http.get(f"{server.ui_url}/api/v1/settings")).json()
        await server.stop()
    assert settings["Codec"]["Endpoint"] == options.codec_endpoint


async def test_a_killed_server_starts_again_with_its_data() -> None:
    """After kill -9 the next start finds the workflows of the first."""
    with temporary_folder() as folder:
        first = await TemporalServer.start(folder / "temporal")
        await _backlog(await _client(first), first.namespace, "kept", ["kept"])
        os.kill(first.child.pid, signal.SIGKILL)
        await first.stop()
        second = await TemporalServer.start(folder / "temporal")
        assert await _next_tenant(await _client(second), second.namespace, "kept") == "kept"
        await second.stop()


async def test_what_is_answered_is_in_a_synced_log(temporal_server: TemporalServer) -> None:
    """SQLite writes ahead, as its file's header says, and syncs that log with each transaction, as its command says
    (https://www.sqlite.org/fileformat2.html#the_database_header, https://www.sqlite.org/pragma.html#pragma_synchronous)."""
    with temporal_server.db_file.open("rb") as file:
        header = file.read(100)
    assert header.startswith(b"SQLite format 3\0")
    assert (header[18], header[19]) == (2, 2)
    command = Path(f"/proc/{temporal_server.child.pid}/cmdline").read_text(encoding="utf-8").split("\0")
    assert "synchronous=full" in command


async def test_its_files_are_private(temporal_server: TemporalServer) -> None:
    """Database and log are for their owner only."""
    files = [path for path in temporal_server.folder.iterdir() if path.is_file()]
    assert temporal_server.db_file in files
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


@dataclass(frozen=True, slots=True)
class _TcpRow:
    address: str
    state: str


def _tcp_rows(pid: int) -> list[_TcpRow]:
    """The process's TCP sockets as proc(5) shows them, IPv4 and IPv6."""
    own = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for file in ("tcp", "tcp6") for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]]
    return [_TcpRow(row[1].partition(":")[0], row[3]) for row in rows if f"socket:[{row[9]}]" in own]


async def _client(server: TemporalServer) -> ServiceClient:
    return await ServiceClient.connect(ConnectConfig(target_host=server.address))


async def _backlog(client: ServiceClient, namespace: str, queue: str, tenants: Sequence[str]) -> None:
    requests = [
        StartWorkflowExecutionRequest(
            namespace=namespace,
            workflow_id=f"{tenant}/{number}/{uuid4()}",
            workflow_type=WorkflowType(name="Nothing"),
            task_queue=TaskQueue(name=queue),
            request_id=str(uuid4()),
            priority=Priority(fairness_key=tenant),
        )
        for number, tenant in enumerate(tenants)
    ]
    await asyncio.gather(*map(client.workflow_service.start_workflow_execution, requests))


async def _next_tenant(client: ServiceClient, namespace: str, queue: str) -> str:
    request = PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=TaskQueue(name=queue), identity="test")
    answer = await client.workflow_service.poll_workflow_task_queue(request, timeout=POLL)
    return answer.workflow_execution.workflow_id.partition("/")[0]
