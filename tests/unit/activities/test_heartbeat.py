"""Heartbeats beside work."""

import asyncio

import pytest
from temporalio.testing import ActivityEnvironment

from contactsync.activities import heartbeat


async def _beats(*, until_beaten: bool) -> int:
    """How many heartbeats there were beside work that took a moment, or with the first of them."""
    beats: list[object] = []
    beaten = asyncio.Event()

    def beat(*details: object) -> None:
        beats.append(details)
        beaten.set()

    async def working() -> None:
        async with heartbeat.heartbeating():
            await (beaten.wait() if until_beaten else asyncio.sleep(0.01))

    environment = ActivityEnvironment()
    environment.on_heartbeat = beat
    await environment.run(working)
    return len(beats)


async def test_short_work_has_no_heartbeat() -> None:
    """Each is a call and a write of the server's, which pages that take less than a second do not need."""
    assert await _beats(until_beaten=False) == 0


@pytest.mark.parametrize("first", [0.0, heartbeat.FIRST_BEAT_SECONDS])
async def test_long_work_has_heartbeats(first: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first comes well before the server would give up: after a second, or at once where a test wants that."""
    monkeypatch.setattr(heartbeat, "FIRST_BEAT_SECONDS", first)
    assert heartbeat.FIRST_BEAT_SECONDS <= 10 / 3
    assert await _beats(until_beaten=True) >= 1
