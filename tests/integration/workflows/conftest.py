"""Temporals to run workflows on: one that skips time, and a real one."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import TENANT, on_server, time_skipping

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
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
