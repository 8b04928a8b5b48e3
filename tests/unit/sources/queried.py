"""A provider that answers questions about windows of time, and can be given the habits that lose contacts elsewhere."""

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from contactsync.activities.contacts.contact import Contact, Name, written
from contactsync.activities.sources.query import Instant, QueryPage, Record, Window
from contactsync.activities.sources.source import Capabilities, Changed, PageLimits, Removed, SourceInfo
from contactsync.errors import CursorExpired

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


@dataclass(frozen=True, slots=True)
class Habits:
    """What the provider is like; times in microseconds. `lag`: edits commit up to so much later than their time says;
    `settles`: its index misses edits for up to so long after that. `page`: records a page has at most."""

    order: Literal["none", "time", "time_id"] = "time_id"
    paging: Literal["keyset", "counting", "offset", "pages"] = "keyset"
    listing: Literal["id", "time", "newest"] = "id"
    page: int = 5
    cap: int | None = None
    lag: int = 0
    settles: int = 0
    resolution: int = 1  # of its times, rounded down
    rounds: bool = True  # windows too; else it takes them as they are
    tells_time: bool = True
    ahead: int = 0  # its clock before ours
    tombstones: bool = True
    changes: bool = True
    strays: bool = False  # a record from outside the window on each page of changes
    knows_until: bool = True


@dataclass(frozen=True, slots=True)
class Version:
    """A contact as of an edit; `text` None: deleted."""

    changed_at: Instant
    number: int
    visible_at: Instant
    indexed_at: Instant
    text: str | None


@dataclass(slots=True)
class Provider:
    """See the module; also a `QuerySource`. `now` is its own clock."""

    habits: Habits = field(default_factory=Habits)
    seed: int = 0
    now: Instant = START
    life: int = 0
    asked: int = 0
    listing_cap: int | None = None
    parts: tuple[bytes | None, ...] = (None,)
    versions: dict[str, list[Version]] = field(default_factory=dict[str, list[Version]])
    windows: list[Window] = field(default_factory=list[Window])
    misplaced: dict[str, Instant] = field(default_factory=dict[str, Instant])
    between: Callable[[], None] | None = None  # called before each answer

    def put(self, source_id: str, text: str | None) -> None:
        """An edit now; None deletes."""
        chance = random.Random(f"{self.seed}/{source_id}/{self.now}/{text}")  # noqa: S311  # no secret
        number = sum(len(held) for held in self.versions.values())
        changed_at = self.now - self.now % self.habits.resolution
        visible_at = self.now + chance.randint(0, self.habits.lag)
        indexed_at = visible_at + chance.randint(0, self.habits.settles)
        version = Version(changed_at, number, visible_at, indexed_at, text)
        self.versions.setdefault(source_id, []).append(version)

    def contents(self) -> dict[str, str]:
        """What is there, however long it takes to show."""
        newest = {name: max(held, key=_age) for name, held in self.versions.items()}
        return {name: version.text for name, version in newest.items() if version.text is not None}

    def clock(self) -> float:
        """Our clock, in epoch seconds."""
        return (self.now - self.habits.ahead) / SECOND

    def settle(self) -> None:
        """Time passes until everything shows."""
        self.now += self.habits.lag + self.habits.settles + 2 * SECOND

    @property
    def capabilities(self) -> Capabilities:
        """What is promised."""
        habits = self.habits
        return Capabilities(
            order=habits.order,
            lag_seconds=habits.lag / SECOND,
            settles_seconds=habits.settles / SECOND,
            tombstones=habits.tombstones,
            changes=habits.changes,
        )

    async def check(self) -> SourceInfo:
        """See `QuerySource`."""
        return SourceInfo(1, self.habits.changes)

    def list_parts(self) -> tuple[bytes | None, ...]:
        """See `QuerySource`."""
        return self.parts

    async def list_page(self, token: bytes | None, part: bytes | None, limits: PageLimits) -> QueryPage:
        """See `QuerySource`."""
        del limits  # a provider has its own
        self._meanwhile()
        live = [(name, version) for name, version in self._shown("visible_at") if version.text is not None]
        if part is not None:
            live = [entry for entry in live if entry[0].startswith(part.decode())]
        key = {"id": _by_id, "time": _by_time, "newest": _newest_first}[self.habits.listing]
        live.sort(key=key)
        return self._page(live, token, key, self.listing_cap)

    async def changes_page(self, window: Window, token: bytes | None, limits: PageLimits) -> QueryPage:
        """See `QuerySource`."""
        del limits
        self.windows.append(window)
        self._meanwhile()
        shown = [entry for entry in self._shown("indexed_at") if self.habits.tombstones or entry[1].text is not None]
        inside = [entry for entry in shown if self._is_inside(entry, window)]
        key = self._key(token)
        inside.sort(key=key)
        page = self._page(inside, token, key, self.habits.cap)
        outside = [entry for entry in shown if entry not in inside]
        if self.habits.strays and outside:
            return _with(page, _record(outside[len(page.records) % len(outside)]))
        return page

    def _meanwhile(self) -> None:
        self.asked += 1
        if self.between:
            self.between()

    def _shown(self, since: Literal["visible_at", "indexed_at"]) -> "list[Entry]":
        shown: list[Entry] = []
        for name, held in self.versions.items():
            known = [version for version in held if getattr(version, since) <= self.now]
            if known:
                shown.append((name, max(known, key=_age)))
        return shown

    def _is_inside(self, entry: "Entry", window: Window) -> bool:
        name, version = entry
        since = window.since - (window.since % self.habits.resolution if self.habits.rounds else 0)
        if window.after_id is not None:
            return version.changed_at == since and name > window.after_id
        is_early = window.until is None or not self.habits.knows_until or version.changed_at < window.until
        return version.changed_at >= since and is_early

    def _key(self, token: bytes | None) -> "Callable[[Entry], tuple[int, str]]":
        if self.habits.order == "time_id":
            return lambda entry: (self.misplaced.get(entry[0], entry[1].changed_at), entry[0])
        if self.habits.order == "none":
            return lambda entry: (zlib.crc32(f"{self.seed}{entry[0]}".encode()), entry[0])
        salt = token.split(b"|")[2].decode() if token and b"|" in token else str(self.asked)  # ties fall anew each time
        if self.habits.paging in ("offset", "pages"):
            salt = ""  # nobody can page by numbers through an order that is another each time
        return lambda entry: (entry[1].changed_at, f"{zlib.crc32((salt + entry[0]).encode())}{entry[0]}")

    def _page(
        self,
        entries: "list[Entry]",
        token: bytes | None,
        key: "Callable[[Entry], tuple[int, str]]",
        cap: int | None,
    ) -> QueryPage:
        size = min(self.habits.page, cap or self.habits.page)
        start, sent = self._start(entries, token, key, size)
        taken = entries[start : start + size]
        sent += len(taken)
        is_capped = cap is not None and sent >= cap and start + size < len(entries)
        more = start + size < len(entries) and not is_capped
        return QueryPage(
            records=tuple(_record(entry) for entry in taken),
            token=self._token(start + len(taken), sent, taken, key, token) if more else None,
            is_capped=is_capped,
            clock=self.now if self.habits.tells_time else None,
            is_offset=self.habits.paging in ("offset", "pages"),
        )

    def _start(
        self, entries: "list[Entry]", token: bytes | None, key: "Callable[[Entry], tuple[int, str]]", size: int
    ) -> tuple[int, int]:
        if token is None:
            return 0, 0
        if self.habits.paging in ("offset", "pages"):
            offset = int(token)
            start = offset - offset % size if self.habits.paging == "pages" else offset
            return start, start
        life, sent, _, place = token.decode().split("|")
        if int(life) != self.life:
            raise CursorExpired
        if self.habits.paging == "counting":
            return int(sent), int(sent)
        time, _, name = place.partition("/")
        behind = [at for at, entry in enumerate(entries) if key(entry) > (int(time), name)]
        return (behind[0] if behind else len(entries)), int(sent)

    def _token(
        self,
        offset: int,
        sent: int,
        taken: "list[Entry]",
        key: "Callable[[Entry], tuple[int, str]]",
        token: bytes | None,
    ) -> bytes:
        if self.habits.paging in ("offset", "pages"):
            return str(offset).encode()
        salt = token.split(b"|")[2].decode() if token else str(self.asked)
        time, name = key(taken[-1])
        return f"{self.life}|{sent}|{salt}|{time}/{name}".encode()


Entry = tuple[str, Version]


def _age(version: Version) -> tuple[int, int]:
    return version.changed_at, version.number


def _by_id(entry: Entry) -> tuple[int, str]:
    return 0, entry[0]


def _by_time(entry: Entry) -> tuple[int, str]:
    return entry[1].changed_at, entry[0]


def _newest_first(entry: Entry) -> tuple[int, str]:
    return -entry[1].changed_at, entry[0]


def _record(entry: Entry) -> Record:
    name, version = entry
    if version.text is None:
        return Record(Removed(name), version.changed_at)
    return Record(Changed(name, written(Contact(name=Name(full=version.text)))), version.changed_at)


def _with(page: QueryPage, stray: Record) -> QueryPage:
    records: Sequence[Record] = (*page.records, stray)
    return QueryPage(tuple(records), page.token, page.is_capped, page.clock, page.total, page.is_offset)
