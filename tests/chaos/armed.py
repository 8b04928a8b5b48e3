"""A worker process that dies, or stands still, once, at one point. It is the ordinary worker with a hook.

Points are named by where they are: `fetch_page.starts`, `fetch_page.ends` (nothing is reported yet),
`upsert_page.transaction.commits`, `fetch_page.heartbeat.sent`, and of workflows `ConnectionSync.schedules.fetch_page`
(what came before is on the server, this is not), `ConnectionSync.continues_as_new`. What a backfill does has
`backfill.` before it.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import walk_stack
from typing import Any, Final, Literal, NoReturn

import structlog
from temporalio import activity, workflow
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ContinueAsNewInput,
    ExecuteActivityInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from contactsync import faults, postgres
from contactsync.activities import heartbeat
from contactsync.activities.messages import BackfillRef, CleanPage, FetchRequest
from contactsync.codecs.payloads.framing import Framed
from contactsync.errors import ContactSyncError
from contactsync.workers.settings import Settings
from contactsync.workers.worker import run_worker

Action = Literal["die", "stop", "tell"]

FROZEN_SECONDS: Final = 5.0
TRANSACTION_SECONDS: Final = 20.0
"""Transactions of a frozen process end sooner than in production, so that a test need not wait a minute."""

REACHED, FINISHED, HELD = "reached", "finished", "held"

_scope: ContextVar[str] = ContextVar("scope", default="process")


@dataclass(frozen=True, slots=True)
class Fault:
    """At the `nth` time that this process is at `point`, it dies (SIGKILL), stands still (SIGSTOP) or only tells.

    `holds`: the first attempt of a pass's first page never gets past this beginning or end of an activity.
    """

    point: str
    nth: int = 1
    action: Action = "die"
    holds: str = ""


class Hook:
    """Counts how often the point was reached; strikes once. `said` hears of it, and of how a frozen activity ended.

    From then on no heartbeat is sent, and no activity is cancelled: the process does not notice that its work is
    another's by now, and what is tested is that nothing goes wrong when it does not.
    """

    def __init__(self, fault: Fault, said: Connection) -> None:
        self._fault = fault
        self._said = said
        self._times = 0
        self._frozen = b""
        self.is_deaf = False

    def at(self, point: str) -> None:
        """`reach` of `faults.py`; reading keys, which only a new worker has to do, is none of an activity's points."""
        if not _reads_keys():
            self.reach(f"{_scope.get()}.{point}")

    def reach(self, name: str) -> None:
        """The process is at this point."""
        if name != self._fault.point:
            return
        self._times += 1
        if self._times == self._fault.nth:
            self._strike()

    async def hold(self, name: str, arguments: object) -> None:
        """Stay here for ever, if the fault says so."""
        if name == self._fault.holds and _is_first(arguments) and activity.info().attempt == 1:
            self._said.send(HELD)
            await asyncio.Event().wait()

    def _strike(self) -> None:
        if self._fault.action == "tell":
            self._said.send(REACHED)
            return
        self._frozen = activity.info().task_token if activity.in_activity() else b""
        self.is_deaf = True
        self._said.send(REACHED)
        os.kill(os.getpid(), signal.SIGKILL if self._fault.action == "die" else signal.SIGSTOP)

    def ended(self, outcome: str) -> None:
        """An activity is over."""
        if self._frozen and self._frozen == activity.info().task_token:
            self._said.send(f"{FINISHED} {outcome}")


def _reads_keys() -> bool:
    """Only the stack tells whose transaction it is."""
    return any(frame.f_code.co_filename.endswith("keys/postgres_store.py") for frame, _ in walk_stack(None))


class FaultPoints(Interceptor):
    """The points around activities, and those of workflows."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the base's
        """Stand before every activity."""
        return _AroundActivity(next, self._hook)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002, ARG002  # the base's
        """Stand around what workflows ask for."""
        hook = self._hook

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(_FromWorkflow(outbound, hook))

        return Inbound


class _AroundActivity(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, hook: Hook) -> None:  # noqa: A002  # the base's
        super().__init__(next)
        self._hook = hook

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_FromActivity(outbound, self._hook))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # the base's
        name = f"{_prefix(input.args)}{activity.info().activity_type}"
        _scope.set(name)
        self._hook.reach(f"{name}.starts")
        await self._hook.hold(f"{name}.starts", input.args)
        outcome = "lost"
        try:
            result = await self._undisturbed(asyncio.ensure_future(super().execute_activity(input)))
            self._hook.reach(f"{name}.ends")
            await self._hook.hold(f"{name}.ends", input.args)
            outcome = "well"
        except ContactSyncError as error:
            outcome = error.code
            raise
        finally:
            self._hook.ended(outcome)
        return result

    async def _undisturbed(self, work: "asyncio.Future[object]") -> object:
        """A process that was frozen finds its heartbeats overdue and cancels its own work: here it does not."""
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if not self._hook.is_deaf:
                work.cancel()
            return await work


class _FromActivity(ActivityOutboundInterceptor):
    def __init__(self, next: ActivityOutboundInterceptor, hook: Hook) -> None:  # noqa: A002  # the base's
        super().__init__(next)
        self._hook = hook

    def heartbeat(self, *details: Any) -> None:
        if not self._hook.is_deaf:
            super().heartbeat(*details)


class _FromWorkflow(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, hook: Hook) -> None:  # noqa: A002  # the base's
        super().__init__(next)
        self._hook = hook

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002  # the base's
        self._reach(f"schedules.{input.activity}")
        return super().start_activity(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:  # noqa: A002  # the base's
        self._reach("continues_as_new")
        super().continue_as_new(input)

    def _reach(self, what: str) -> None:
        if not workflow.unsafe.is_replaying():
            self._hook.reach(f"{workflow.info().workflow_type}.{what}")


def _first_of(arguments: object) -> object:
    return next(iter(arguments), None) if isinstance(arguments, list | tuple) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _is_first(arguments: object) -> bool:
    """Whether it is given the first page of a pass, to be written."""
    first = _first_of(arguments)
    return isinstance(first, CleanPage) and first.head.page == 1


def _prefix(arguments: object) -> str:
    """`backfill.` for what a backfill does."""
    first = _first_of(arguments)
    if isinstance(first, Framed):
        return "backfill." if first.head.part is not None else ""
    is_backfill = isinstance(first, BackfillRef) or (isinstance(first, FetchRequest) and first.part is not None)
    return "backfill." if is_backfill else ""


def work(settings: Mapping[str, object], fault: Fault | None, log: Path, said: Connection) -> None:
    """The process: an ordinary worker until it is struck."""
    _log_to(log)
    postgres.FROZEN_SECONDS = FROZEN_SECONDS
    postgres.TRANSACTION_SECONDS = TRANSACTION_SECONDS
    heartbeat.FIRST_BEAT_SECONDS = 0.0
    hook = Hook(fault or Fault("nowhere"), said)
    with faults.armed(hook.at):
        asyncio.run(run_worker(Settings.model_validate(settings), [FaultPoints(hook)]))


def _log_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    logging.basicConfig(level=logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
