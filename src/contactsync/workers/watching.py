"""The freshness watch: who is late by the database alone, and why where Temporal can tell; audit logs that are broken.

It needs the database and nothing else: no key, no worker, no Temporal. What Temporal adds is the reason.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from contactsync.activities.store.freshness import Freshness, Standing
from contactsync.activities.store.passes import COMPLETED
from contactsync.codecs.audit.flaws import FlawedLog, flawed_logs
from contactsync.codecs.keys.store import KeyStore, KeyTally
from contactsync.errors import DatabaseError, SourceThrottled, TemporalError
from contactsync.postgres import Database
from contactsync.workers.bootstrap import administering_client
from contactsync.workers.conditions import Condition
from contactsync.workers.refusals import known_code, sentence_of
from contactsync.workers.settings import Settings
from contactsync.workers.syncs import Sync, Syncs

_ASKED_TOGETHER: Final = 20
"""Calls to Temporal at the same time; they are made for late connections only."""

_NO_OUTCOME_TO_TELL: Final = frozenset({None, COMPLETED, "superseded", "paused"})


class Cause(StrEnum):
    """Why a connection is late, as far as can be seen: the first of these that holds."""

    PAUSED = "paused"
    NO_TEMPORAL = "no_temporal"
    NO_WORKFLOW = "no_workflow"
    HALTED = "halted"
    NO_WORKER = "no_worker"
    THROTTLED = "throttled"
    FAILING = "failing"
    HELD = "held"
    SLOW = "slow"
    IDLE = "idle"


SENTENCES: Final = {
    Cause.PAUSED: "it is paused; `contactsync connection resume` lets it go on",
    Cause.NO_TEMPORAL: "Temporal does not answer, so why cannot be seen; check that it runs",
    Cause.NO_WORKFLOW: "its workflow does not run; `contactsync sync now` starts it",
    Cause.HALTED: "its workflow or an activity of it is paused inside Temporal; unpause it there",
    Cause.NO_WORKER: "no worker takes the work; start `contactsync worker`",
    Cause.THROTTLED: "the source asks for patience, again and again; sync it less often or ask for a larger quota",
    Cause.FAILING: "its passes keep failing",
    Cause.HELD: "deletions are held; `contactsync deletes list` shows them",
    Cause.SLOW: "a pass is under way and is not through yet",
    Cause.IDLE: "its workflow runs and waits; is the objective shorter than the interval?",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a connection is late; `code` is that of the pause or of the error."""

    cause: Cause
    code: str | None = None

    def sentence(self) -> str:
        """The reason for people, with what to do."""
        if self.cause is Cause.FAILING and self.code:
            return f"{SENTENCES[self.cause]}: {sentence_of(self.code)}"
        if self.cause is Cause.PAUSED and self.code:
            return SENTENCES[self.cause].replace("paused", f"paused ({self.code})", 1)
        return SENTENCES[self.cause]


@dataclass(frozen=True, slots=True)
class Late:
    """A connection past its objective."""

    standing: Standing
    reason: Reason


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found. `temporal`: it answers; `worker`: one asks it for work (None where nobody can say); `keys`:
    those whose end is held up (None where this user may not see the key store); `flawed`: audit logs that are not
    sound."""

    at: datetime
    standings: tuple[Standing, ...]
    late: tuple[Late, ...]
    temporal: bool
    worker: bool | None
    keys: KeyTally | None = None
    flawed: tuple[FlawedLog, ...] = ()

    @property
    def is_calm(self) -> bool:
        """Whether nobody is late and every audit log is sound."""
        return not self.late and not self.flawed


class Watch:
    """Looks at every connection and at what is known of the audit logs; keeps one connection to Temporal while that
    answers."""

    def __init__(self, database: Database, settings: Settings, keys: KeyStore | None = None) -> None:
        self._database = database
        self._freshness = Freshness(database)
        self._keys = keys
        self._settings = settings
        self._syncs: Syncs | None = None

    async def look(self) -> Look:
        """Look once.

        Raises:
            DatabaseError: nothing can be said then. That Temporal is gone is no error.
        """
        standings = await self._freshness.look()
        syncs, worker = await self._reached()
        late = await _explained([each for each in standings if each.late], syncs, worker=bool(worker))
        at = standings[0].at if standings else datetime.now(UTC)
        keys, flawed = await self._tally(at), await flawed_logs(self._database)
        return Look(at, standings, late, temporal=syncs is not None, worker=worker, keys=keys, flawed=flawed)

    async def _tally(self, at: datetime) -> KeyTally | None:
        try:
            return await self._keys.tally(at) if self._keys is not None else None
        except DatabaseError:
            return None

    async def _reached(self) -> tuple[Syncs | None, bool | None]:
        """Temporal, where it answers, and whether a worker asks it for work."""
        try:
            if self._syncs is None:
                self._syncs = Syncs(await administering_client(self._settings), self._settings.task_queue)
            return self._syncs, await self._syncs.worker_polls()
        except TemporalError:
            self._syncs = None
            return None, None


async def _explained(late: Sequence[Standing], syncs: Syncs | None, *, worker: bool) -> tuple[Late, ...]:
    conditions = await _conditions([each for each in late if each.paused is None], syncs)
    return tuple(Late(each, reason_of(each, conditions.get(_sync(each)), worker=worker)) for each in late)


async def _conditions(wanted: Iterable[Standing], syncs: Syncs | None) -> dict[Sync, Condition]:
    """How Temporal has these syncs; those are missing that it does not answer for."""
    found: dict[Sync, Condition] = {}
    if syncs is None:
        return found
    waiting = iter([_sync(each) for each in wanted])

    async def ask() -> None:
        for sync in waiting:
            found[sync] = await syncs.condition(sync)

    asking = [asyncio.create_task(ask()) for _ in range(_ASKED_TOGETHER)]
    for ended in await asyncio.gather(*asking, return_exceptions=True):
        if isinstance(ended, BaseException) and not isinstance(ended, TemporalError):
            raise ended
    return found


def _sync(standing: Standing) -> Sync:
    return Sync(standing.tenant_id, standing.connection_id, standing.kind)


def reason_of(standing: Standing, condition: Condition | None, *, worker: bool) -> Reason:
    """Why a late connection is late; `condition` is None where Temporal did not answer."""
    if standing.paused is not None:
        return Reason(Cause.PAUSED, standing.paused)
    if condition is None:
        return Reason(Cause.NO_TEMPORAL)
    if not condition.running:
        return Reason(Cause.NO_WORKFLOW)
    if condition.halted:
        return Reason(Cause.HALTED)
    if not worker:
        return Reason(Cause.NO_WORKER)
    return _reason_at_work(standing, condition)


def _reason_at_work(standing: Standing, condition: Condition) -> Reason:
    """The workflow runs and there are workers."""
    code = condition.trouble.code if condition.trouble else _ending(standing)
    if code == SourceThrottled.__name__:
        return Reason(Cause.THROTTLED)
    if code is not None:
        return Reason(Cause.FAILING, known_code(code))
    if standing.held:
        return Reason(Cause.HELD)
    return Reason(Cause.SLOW if standing.syncing else Cause.IDLE)


def _ending(standing: Standing) -> str | None:
    """The error that ended the newest pass."""
    outcome = standing.last.outcome if standing.last else None
    return None if outcome in _NO_OUTCOME_TO_TELL else outcome
