"""A bounded cache that loads what it lacks: once for all who ask, renewed before it is old, and never kept too long."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from contactsync.errors import ContactSyncError, DatabaseUnavailable, RootKeyUnavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """Sizes in entries, times in seconds.

    An entry serves for `ttl`, and is loaded again by the first who asks within `renew_before` of its end. Where the
    loader's other side is down, it serves for `grace` longer, and the loader is left alone for `pause` between tries.
    """

    entries: int = 16_384
    ttl: float = 300.0
    renew_before: float = 60.0
    grace: float = 1_800.0
    pause: float = 5.0


DEFAULT_LIMITS: Final = CacheLimits()


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    renew_at: float
    expires_at: float


@dataclass(slots=True, eq=False)
class _Flight(Generic[V]):
    """One load that is under way; whoever else asks waits for it."""

    landed: asyncio.Event
    entry: _Entry[V] | None = None
    error: ContactSyncError | None = None
    outrun: bool = False  # something was forgotten meanwhile, and perhaps this was loaded before it changed


class LoadingCache(Generic[K, V]):
    """`get` answers from memory or through `load`; least recently used entries go first."""

    def __init__(self, load: Callable[[K], Awaitable[V]], limits: CacheLimits, monotonic: Callable[[], float]) -> None:
        self._load = load
        self._limits = limits
        self._monotonic = monotonic
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._flights: dict[K, _Flight[V]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    async def get(self, key: K) -> V:
        """The value, loaded at most once however many ask at the same time.

        Raises:
            ContactSyncError: what `load` raised, and there is no entry that may still serve.
        """
        entry = self._entries.get(key)
        if entry is None or self._monotonic() >= entry.renew_at:
            return await self._renewed(key, entry)
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: K, value: V) -> None:
        """Keep a value that was loaded by other means."""
        self._keep(key, value)

    def discard(self, unwanted: Callable[[K, V], bool]) -> None:
        """Forget every entry for which `unwanted` holds, and keep nothing of what is being loaded."""
        for key in [key for key, entry in self._entries.items() if unwanted(key, entry.value)]:
            del self._entries[key]
        self._outrun_flights()

    def expire(self) -> None:
        """Load every entry again when it is next asked for. Where the loader's other side is down, grace begins now."""
        now = self._monotonic()
        for entry in self._entries.values():
            entry.renew_at, entry.expires_at = now, min(now, entry.expires_at)
        self._outrun_flights()

    def _outrun_flights(self) -> None:
        for flight in self._flights.values():
            flight.outrun = True

    async def _renewed(self, key: K, entry: _Entry[V] | None) -> V:
        if entry is not None and key in self._flights and self._monotonic() < entry.expires_at:
            return entry.value
        try:
            return (await self._loaded_once(key)).value
        except (DatabaseUnavailable, RootKeyUnavailable) as error:
            return self._within_grace(key, entry, error)
        except ContactSyncError:
            self._entries.pop(key, None)
            raise

    def _within_grace(self, key: K, entry: _Entry[V] | None, error: ContactSyncError) -> V:
        """The old value while that is allowed, the error otherwise."""
        now = self._monotonic()
        if entry is None or now >= entry.expires_at + self._limits.grace:
            self._entries.pop(key, None)
            raise error
        entry.renew_at = min(now + self._limits.pause, entry.expires_at + self._limits.grace)
        return entry.value

    async def _loaded_once(self, key: K) -> _Entry[V]:
        while (flight := self._flights.get(key)) is not None:
            await flight.landed.wait()
            if flight.outrun:
                continue
            if flight.entry is not None:
                return flight.entry
            if flight.error is not None:
                raise flight.error
        return await self._lead(key)

    async def _lead(self, key: K) -> _Entry[V]:
        """Load for all; if this caller is cancelled, one of those who wait leads next."""
        flight = self._flights[key] = _Flight[V](asyncio.Event())
        try:
            value = await self._load(key)
            flight.entry = self._entry(value) if flight.outrun else self._keep(key, value)
        except ContactSyncError as error:
            flight.error = error
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
        return flight.entry

    def _entry(self, value: V) -> _Entry[V]:
        now = self._monotonic()
        return _Entry(value, now + self._limits.ttl - self._limits.renew_before, now + self._limits.ttl)

    def _keep(self, key: K, value: V) -> _Entry[V]:
        entry = self._entries[key] = self._entry(value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._limits.entries:
            self._entries.popitem(last=False)
        return entry


class NegativeCache(Generic[K]):
    """Remembers for a while, and for a bounded number of keys, that there is nothing and why."""

    def __init__(self, entries: int, ttl: float, monotonic: Callable[[], float]) -> None:
        self._limit = entries
        self._ttl = ttl
        self._monotonic = monotonic
        self._errors: OrderedDict[K, tuple[type[ContactSyncError], float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._errors)

    def check(self, key: K) -> None:
        """Raises the remembered error, if there is one that is not too old."""
        found = self._errors.get(key)
        if found is None:
            return
        error, until = found
        if self._monotonic() < until:
            raise error
        del self._errors[key]

    def discard(self, key: K | None) -> None:
        """Forget what is remembered of a key, or (None) of all."""
        if key is None:
            self._errors.clear()
        else:
            self._errors.pop(key, None)

    def remember(self, key: K, error: type[ContactSyncError]) -> None:
        """Raise this error for the key from now on; the oldest is forgotten where there are too many."""
        self._errors[key] = (error, self._monotonic() + self._ttl)
        self._errors.move_to_end(key)
        while len(self._errors) > self._limit:
            self._errors.popitem(last=False)
