"""Temporals to run workflows on: one that skips time, and a real one."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import TENANT, know_attributes, on_server, time_skipping

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.workers.embedded.installed import temporal_program
from contactsync.workers.embedded.temporal import TemporalServer


@pytest.fixture
async def ring(tmp_path: Path) -> KeyRing:
    """Keys of the tenant of these tests."""
    ring = KeyRing(MemoryKeyStore(), FileRootKey.create(tmp_path / "root.key"))
    await ring.create_tenant(TENANT)
    return ring


@pytest.fixture
async def environment(ring: KeyRing) -> AsyncGenerator[WorkflowEnvironment]:
    """A Temporal that skips time; its clients seal."""
    async with time_skipping(ring) as running:
        yield running


@pytest.fixture
async def real(ring: KeyRing, temporal_server: TemporalServer) -> WorkflowEnvironment:
    """A real Temporal; its clients seal."""
    return await on_server(temporal_server, ring)


@pytest.fixture(scope="session")
async def suggesting_address() -> AsyncGenerator[str]:
    """Where a real Temporal is that suggests a new run at 60 events."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal_program()),
        dev_server_extra_args=["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60"],
    ) as server:
        await know_attributes(server)
        yield server.client.service_client.config.target_host


@pytest.fixture
async def suggesting(suggesting_address: str, ring: KeyRing) -> WorkflowEnvironment:
    """A real Temporal that suggests a new run at 60 events; its clients seal."""
    return WorkflowEnvironment.from_client(await Client.connect(suggesting_address, plugins=[SealingPlugin(ring)]))
