"""The loading cache: one load for all, renewed in time, graceful in bad times, bounded always."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from contactsync.codecs.keys.cache import CacheLimits, LoadingCache, NegativeCache
from contactsync.errors import ContactSyncError, DatabaseUnavailable, KeyDestroyed, KeyUnknown, RootKeyUnavailable

LIMITS: Final = CacheLimits(entries=3, ttl=100, renew_before=20, grace=50, pause=5)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Loader:
    """Answers `key/n` on the n-th load, fails while `error` is set, and waits while `gate` is closed."""

    def __init__(self) -> None:
        self.loads = 0
        self.error: ContactSyncError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: str) -> str:
        self.loads += 1
        answer = f"{key}/{self.loads}"
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return answer


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def loader() -> Loader:
    """A loader that works."""
    return Loader()


@pytest.fixture
def cache(loader: Loader, clock: Clock) -> LoadingCache[str, str]:
    """A cache of three entries."""
    return LoadingCache(loader, LIMITS, clock)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the loader is the thing under test, not an event
            await asyncio.sleep(0)


async def _started(loader: Loader, count: int, get: Callable[[], Awaitable[str]]) -> list["asyncio.Task[str]"]:
    """`count` tasks that ask, all of them waiting."""
    tasks = [asyncio.ensure_future(get()) for _ in range(count)]
    await _until(lambda: loader.loads > 0)
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_a_value_is_loaded_once(cache: LoadingCache[str, str], loader: Loader) -> None:
    """Asking again asks the memory."""
    assert [await cache.get("a") for _ in range(3)] == ["a/1"] * 3
    assert loader.loads == 1


async def test_all_who_ask_at_once_share_one_load(cache: LoadingCache[str, str], loader: Loader) -> None:
    """A hundred callers wait for one load and get its value."""
    loader.gate.clear()
    tasks = await _started(loader, 100, lambda: cache.get("a"))
    loader.gate.set()
    assert await asyncio.gather(*tasks) == ["a/1"] * 100
    assert loader.loads == 1


async def test_all_who_wait_share_one_failure(cache: LoadingCache[str, str], loader: Loader) -> None:
    """A failed load fails for all who wait, instead of each trying in turn."""
    loader.gate.clear()
    loader.error = DatabaseUnavailable()
    tasks = await _started(loader, 100, lambda: cache.get("a"))
    loader.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {DatabaseUnavailable} == {type(outcome) for outcome in outcomes}
    assert loader.loads == 1


async def test_a_cancelled_leader_takes_nobody_along(cache: LoadingCache[str, str], loader: Loader) -> None:
    """Where the one who loads is cancelled, one of those who wait loads, and all get a value."""
    loader.gate.clear()
    leader, *followers = await _started(loader, 10, lambda: cache.get("a"))
    leader.cancel()
    await _until(lambda: loader.loads == 2)
    loader.gate.set()
    assert await asyncio.gather(*followers) == ["a/2"] * 9
    assert leader.cancelled()


async def test_two_keys_do_not_wait_for_each_other(cache: LoadingCache[str, str], loader: Loader) -> None:
    """One load that hangs holds up its own key only."""
    loader.gate.clear()
    [hanging] = await _started(loader, 1, lambda: cache.get("a"))
    loader.gate.set()
    assert await cache.get("b") == "b/2"
    assert await hanging == "a/1"


async def test_an_entry_is_renewed_before_it_ends(cache: LoadingCache[str, str], loader: Loader, clock: Clock) -> None:
    """Up to 20 seconds before its end an entry serves as it is; from then on the first who asks renews it."""
    await cache.get("a")
    clock.now += 79.9
    assert await cache.get("a") == "a/1"
    clock.now += 0.1
    assert await cache.get("a") == "a/2"
    assert loader.loads == 2


async def test_only_one_waits_for_a_renewal(cache: LoadingCache[str, str], loader: Loader, clock: Clock) -> None:
    """While one renews, all others are served the old value at once."""
    await cache.get("a")
    clock.now += 90
    loader.gate.clear()
    renewing = asyncio.ensure_future(cache.get("a"))
    await _until(lambda: loader.loads == 2)
    assert await asyncio.wait_for(cache.get("a"), 5) == "a/1"
    loader.gate.set()
    assert await renewing == "a/2"


async def test_nobody_is_served_past_the_end_while_a_renewal_runs(
    cache: LoadingCache[str, str], loader: Loader, clock: Clock
) -> None:
    """After the end of an entry everyone waits for the new one: a revoked key is gone within the time to live."""
    await cache.get("a")
    clock.now += 100
    loader.gate.clear()
    tasks = [asyncio.ensure_future(cache.get("a")) for _ in range(3)]
    await _until(lambda: loader.loads == 2)
    assert not any(task.done() for task in tasks)
    loader.gate.set()
    assert await asyncio.gather(*tasks) == ["a/2"] * 3


@pytest.mark.parametrize("error", [DatabaseUnavailable(), RootKeyUnavailable()], ids=repr)
async def test_grace_while_the_other_side_is_down(
    cache: LoadingCache[str, str], loader: Loader, clock: Clock, error: ContactSyncError
) -> None:
    """An entry serves through its grace while the other side is down, then fails with that side's error."""
    await cache.get("a")
    loader.error = error
    clock.now += 149.9
    assert await cache.get("a") == "a/1"
    clock.now += 0.1
    with pytest.raises(type(error)):
        await cache.get("a")
    assert "a" not in cache
    loader.error = None
    assert await cache.get("a") == "a/4"


async def test_the_other_side_is_left_alone_while_it_is_down(
    cache: LoadingCache[str, str], loader: Loader, clock: Clock
) -> None:
    """In grace one caller tries every five seconds; the others do not wait for a time-out each."""
    await cache.get("a")
    loader.error = DatabaseUnavailable()
    clock.now += 110
    for _ in range(50):
        assert await cache.get("a") == "a/1"
    assert loader.loads == 2
    clock.now += 5
    await cache.get("a")
    assert loader.loads == 3


async def test_no_grace_for_a_refusal(cache: LoadingCache[str, str], loader: Loader, clock: Clock) -> None:
    """A key that was destroyed is gone at the next renewal: grace is for sides that are down, not for a no."""
    await cache.get("a")
    loader.error = KeyDestroyed()
    clock.now += 80
    with pytest.raises(KeyDestroyed):
        await cache.get("a")
    assert "a" not in cache


async def test_the_least_recently_used_goes_first(cache: LoadingCache[str, str]) -> None:
    """The cache never holds more than it may, and keeps what is used."""
    for key in ("a", "b", "c", "a", "d"):
        await cache.get(key)
    assert len(cache) == 3
    assert [key for key in "abcd" if key in cache] == ["a", "c", "d"]


async def test_what_is_put_and_discarded(cache: LoadingCache[str, str], loader: Loader) -> None:
    """A value put there is served without a load, and one that is discarded is loaded anew."""
    cache.put("a", "put")
    assert await cache.get("a") == "put"
    cache.discard(lambda key, value: (key, value) == ("a", "put"))
    assert await cache.get("a") == "a/1"
    assert loader.loads == 1


async def test_what_was_loaded_before_it_was_forgotten_is_not_kept(
    cache: LoadingCache[str, str], loader: Loader
) -> None:
    """A load that a forgetting overtakes may bring what was there before: only who asked before it is served that."""
    loader.gate.clear()
    early, late = await _started(loader, 2, lambda: cache.get("a"))
    cache.discard(lambda _key, _value: False)
    loader.gate.set()
    assert await asyncio.gather(early, late) == ["a/1", "a/2"]
    assert await cache.get("a") == "a/2"


async def test_all_is_loaded_again_on_demand(cache: LoadingCache[str, str], loader: Loader) -> None:
    """What is expired serves nobody while it can be loaded, not even those who come during the load."""
    await cache.get("a")
    cache.expire()
    loader.gate.clear()
    tasks = [asyncio.ensure_future(cache.get("a")) for _ in range(3)]
    await _until(lambda: loader.loads == 2)
    loader.gate.set()
    assert await asyncio.gather(*tasks) == ["a/2"] * 3


async def test_grace_after_an_expiry(cache: LoadingCache[str, str], loader: Loader, clock: Clock) -> None:
    """While the other side is down an expired entry serves through one grace, however often all is expired."""
    await cache.get("a")
    loader.error = RootKeyUnavailable()
    cache.expire()
    assert await cache.get("a") == "a/1"
    clock.now += 40
    cache.expire()
    assert await cache.get("a") == "a/1"
    clock.now += 10
    with pytest.raises(RootKeyUnavailable):
        await cache.get("a")


def test_an_absence_is_forgotten(clock: Clock) -> None:
    """One key's, or all."""
    absent = NegativeCache[str](9, 10, clock)
    for key in ("a", "b", "c"):
        absent.remember(key, KeyUnknown)
    absent.discard("a")
    absent.check("a")
    assert len(absent) == 2
    absent.discard(None)
    assert len(absent) == 0


def test_an_absence_is_remembered_for_a_while(clock: Clock) -> None:
    """The remembered error is raised until its time is over, and nothing is raised for what was never asked."""
    absent = NegativeCache[str](2, 10, clock)
    absent.remember("a", KeyUnknown)
    absent.check("b")
    with pytest.raises(KeyUnknown):
        absent.check("a")
    clock.now += 10
    absent.check("a")
    assert len(absent) == 0


def test_absences_are_bounded(clock: Clock) -> None:
    """However many are remembered, no more than the limit are kept, the newest."""
    absent = NegativeCache[int](100, 10, clock)
    for key in range(10_000):
        absent.remember(key, KeyUnknown)
    assert len(absent) == 100
    absent.check(9_899)
    with pytest.raises(KeyUnknown):
        absent.check(9_900)
