"""Temporals to run workflows on: a real one, and one that skips time."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import TENANT, on_server, suggesting_server, time_skipping

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.workers.embedded.temporal import TemporalServer


@pytest.fixture
async def ring(tmp_path: Path) -> KeyRing:
    """Keys of the tenant of these tests."""
    ring = KeyRing(MemoryKeyStore(), FileRootKey.create(tmp_path / "root.key"))
    await ring.create_tenant(TENANT)
    return ring


@pytest.fixture
async def environment(ring: KeyRing, temporal_server: TemporalServer) -> WorkflowEnvironment:
    """A real Temporal; its clients seal."""
    return await on_server(temporal_server, ring)


@pytest.fixture
async def skipping(ring: KeyRing) -> AsyncGenerator[WorkflowEnvironment]:
    """A Temporal that skips time; its clients seal.

    It loses a workflow for good that cancels an activity which ends in the same moment: use it only for what takes
    long, and where no page fails while another one is fetched.
    """
    async with time_skipping(ring) as running:
        yield running


@pytest.fixture(scope="session")
async def suggesting_address(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """Where a real Temporal is that suggests a new run at 60 events."""
    root_key = FileRootKey.create(tmp_path_factory.mktemp("keys") / "root.key")
    async with suggesting_server(KeyRing(MemoryKeyStore(), root_key)) as server:
        yield server.client.service_client.config.target_host


@pytest.fixture
async def suggesting(suggesting_address: str, ring: KeyRing) -> WorkflowEnvironment:
    """A real Temporal that suggests a new run at 60 events; its clients seal."""
    return WorkflowEnvironment.from_client(await Client.connect(suggesting_address, plugins=[SealingPlugin(ring)]))
