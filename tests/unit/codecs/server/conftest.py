"""Codec servers without a network."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.rings import ring_of
from tests.unit.codecs.server.asking import NAMESPACE, OTHER, TENANT, UI, asking
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.server.access import LoopbackAccess, TokenAccess
from contactsync.codecs.server.app import codec_app


@pytest.fixture
async def ring(tmp_path: Path) -> KeyRing:
    """Keys of two tenants."""
    return await ring_of(tmp_path, TENANT, OTHER)


@pytest.fixture
def trail() -> MemoryTrail:
    """An empty audit trail."""
    return MemoryTrail()


@pytest.fixture
async def client(ring: KeyRing, trail: MemoryTrail) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the embedded mode: loopback, masked, one allowed origin."""
    async with asking(codec_app(ring, trail, LoopbackAccess(), origins=[UI]), NAMESPACE) as asked:
        yield asked


@pytest.fixture
async def secured(ring: KeyRing, trail: MemoryTrail) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server with a token, which may also encode; no token is sent by itself."""
    async with asking(codec_app(ring, trail, TokenAccess("a-token"), origins=[UI], encode=True)) as asked:
        yield asked
