"""Every channel there is, with a string planted in each: none is found, and without its guard each one is."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.integration.leaks import channels_elsewhere, channels_in_workflows, channels_of_clients
from tests.integration.leaks.ground import Ground, ground
from tests.integration.leaks.guards import MUTATIONS
from tests.integration.leaks.scanning import TENANT, numbers_in, planted
from tests.integration.leaks.table import CHANNELS, Channel, Guard, Verdict, sees_to
from tests.rings import ring_of

from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import SealRefused
from contactsync.workers.embedded.folders import temporary_folder
from contactsync.workers.embedded.temporal import TemporalOptions, TemporalServer

FILLED_BY: Final = (channels_elsewhere, channels_in_workflows, channels_of_clients)
AT_ONCE: Final = 12
NAMES_OF_CODE: Final = {
    "activity failure: class",
    "activity failure: trace",
    "workflow task failure: name of its class",
    "workflow task failure: name of a function in its trace",
}
"""Our log shows the names of classes and functions: they are code, and nobody makes them of what a person is called."""

TOGETHER: Final = sorted({channel.guards for channel in CHANNELS if channel.guards[0] in MUTATIONS}, key=str)
DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "channels.md"


@pytest.fixture(scope="module")
async def server() -> AsyncGenerator[TemporalServer]:
    """A Temporal of its own, whose log says everything."""
    with temporary_folder() as folder:
        started = await TemporalServer.start(folder / "temporal", TemporalOptions(log_level="debug"))
        yield started
        await started.stop()


@pytest.fixture(scope="module")
async def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """The tenant's keys."""
    return await ring_of(tmp_path_factory.mktemp("keys"), TENANT)


async def plant_all(place: Ground, channels: Sequence[Channel]) -> dict[str, BaseException | None]:
    """Plant the string of each channel; what each ended with."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(channel: Channel) -> None:
        async with limit:
            await channel.plant(place, channel.number)

    outcomes = await asyncio.gather(*map(one, channels), return_exceptions=True)
    return {channel.name: outcome for channel, outcome in zip(channels, outcomes, strict=True)}


def named(numbers: set[int]) -> set[str]:
    """The channels' names."""
    return {channel.name for channel in CHANNELS if channel.number in numbers}


def those(verdict: Verdict) -> set[str]:
    """The names of the channels with this verdict."""
    return {channel.name for channel in CHANNELS if channel.verdict is verdict}


async def test_no_string_is_found(server: TemporalServer, ring: KeyRing) -> None:
    """Sealed, refused or replaced: no string is in Temporal's files, answers, log and metrics, or in our own log."""
    channels = [channel for channel in CHANNELS if Guard.HOUSE not in channel.guards]
    async with ground(server, ring) as place:
        outcomes = await plant_all(place, channels)
        found, logged = await place.found(), place.logged()
        said = place.log.getvalue()
    assert named(found) == set()
    assert named(logged) == NAMES_OF_CODE
    assert {name for name, outcome in outcomes.items() if isinstance(outcome, SealRefused)} == those(Verdict.REFUSED)
    assert [outcome for outcome in outcomes.values() if not isinstance(outcome, SealRefused | None)] == []
    assert "temporalio" in said  # the log is the one that was searched


async def test_bare_the_search_finds_them(server: TemporalServer) -> None:
    """The control: with neither plugin nor guard the same strings reach the server, each in its channel."""
    async with ground(server, None) as place:
        await plant_all(place, CHANNELS)
        found = await place.found()
    assert named(found) == {channel.name for channel in CHANNELS if channel.bare}


@pytest.mark.parametrize("guards", TOGETHER, ids=lambda guards: "-".join(guard.name.lower() for guard in guards))
async def test_without_a_guard_its_strings_are_found(
    server: TemporalServer, ring: KeyRing, monkeypatch: pytest.MonkeyPatch, guards: tuple[Guard, ...]
) -> None:
    """A mutation for each guard, or for both where two stand: taken away, every string they stop is found."""
    channels = [channel for channel in CHANNELS if channel.guards == guards and channel.shows_mutation]
    for guard in guards:
        MUTATIONS[guard](monkeypatch)
    async with ground(server, ring) as place:
        await plant_all(place, channels)
        found = place.logged() if Guard.LOGS in guards else await place.found()
    assert channels
    assert named(found) == {channel.name for channel in channels}


def test_every_guard_has_a_mutation() -> None:
    """Each guard is taken away once; those of the house have tests of their own."""
    assert {guard for channel in CHANNELS for guard in channel.guards} - {Guard.HOUSE, Guard.NONE} == set(MUTATIONS)


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_the_search_knows_other_forms(skip: int) -> None:
    """A string is found in base64, at each alignment, in hex and in JSON."""
    text = b"x" * skip + planted(17, "abcdef").encode() + b"yz"
    digits = text.hex().encode()
    for form in (text, base64.b64encode(text), base64.urlsafe_b64encode(text), digits, digits.upper()):
        assert numbers_in(b"## " + form + b" ##", "abcdef") == {17}
        assert numbers_in(b"## " + form + b" ##", "000000") == set()


def test_the_table_is_documented() -> None:
    """`docs/channels.md` has a row for each channel: what becomes of a string there, and what sees to it."""
    rows = [f"| {channel.name} | {channel.verdict.value} | {sees_to(channel)} |" for channel in CHANNELS]
    documented = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    assert [line for line in rows if line not in documented] == []
    assert len({channel.name for channel in CHANNELS}) == len(CHANNELS)
