"""`Backfill`: a full re-read of one connection beside its live sync, under a cutoff.

    open (plan the parts) ─▶ walk the parts (`page_walk`), some side by side ─▶ close (sweep what was not seen)

The database knows each part's place, so the workflow keeps nothing: after a pause, an error or in a new run it opens
the backfill anew, which shuts out whatever still runs for the opening before, and goes on from the last page committed.
"""

import asyncio
from collections import deque
from datetime import timedelta
from typing import Final, Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import (
        BackfillArgs,
        BackfillProgress,
        BackfillRef,
        BackfillResult,
        BackfillTicket,
        Counts,
        PageHead,
        PageResult,
        PartTicket,
        PauseRequest,
    )
    from contactsync.workflows.backfill_steps import BackfillSteps
    from contactsync.workflows.page_steps import outcome_of
    from contactsync.workflows.page_walk import walk_pages
    from contactsync.workflows.run_bounds import LANES, has_room_for_lanes, is_crowded, is_long
    from contactsync.workflows.state_attribute import State, tell_state

COMPLETED: Final = "completed"
CANCELLED: Final = "cancelled"
_PAUSED: Final = "paused"
_RUNNING: Final = "running"
_OPERATOR: Final = "operator"
_RUN_AT_MOST: Final = timedelta(days=1)

_GONE: Final = frozenset({"BackfillNotFound", "ConnectionNotFound", "TenantNotFound"})
_TAKEN_OVER: Final = "StalePass"
"""It was closed, or opened again, by somebody else; opening it tells which."""

_MISBEHAVED: Final = "SourceMisbehaved"
_MISBEHAVES_AT_MOST: Final = 3
_FIRST_WAIT_SECONDS: Final = 60.0
_LONGEST_WAIT_SECONDS: Final = 1800.0
_CATCHES_UP_SECONDS: Final = 10.0
"""So much of the time that a page took is made up for, so that a rate is the rate and not its upper bound."""


@workflow.defn
class Backfill:
    """See the module. Its id is `backfill/{tenant}/{connection}/{n}`; cancelling it is how to end it early."""

    @workflow.init
    def __init__(self, args: BackfillArgs) -> None:
        self._args = args
        self._steps = BackfillSteps(BackfillRef.model_validate(args.model_dump()))
        self._paused = args.paused
        self._recorded_pause = args.paused
        self._troubles = args.troubles
        self._misbehaved = args.misbehaved
        self._trouble: str | None = None
        self._paced_until = args.paced_until
        self._rate: float | None = None
        self._epoch: int | None = None
        self._parts: dict[int, PartTicket] = {}
        self._counts = Counts()
        self._phase: Literal["opening", "running", "closing", "ended"] = "opening"
        self._resumed = 0
        self._waiting_until: float | None = None
        self._lanes = 0

    @workflow.run
    async def run(self, args: BackfillArgs) -> BackfillResult:  # noqa: ARG002  # `__init__` has them
        """Until all is read, it is cancelled, or there is nothing left to work on."""
        try:
            result = await self._work()
        except (asyncio.CancelledError, ActivityError) as error:
            if not is_cancelled_exception(error):
                raise
            result = await self._close(CANCELLED)
        self._phase = "ended"
        return result

    @workflow.signal
    def pause(self, request: PauseRequest) -> None:
        """Stop after the pages under way, until `resume`."""
        self._paused = request.reason

    @workflow.signal
    def resume(self) -> None:
        """Go on; what waits for a source or a budget asks again at once."""
        self._paused = None
        self._resumed += 1
        self._troubles = self._misbehaved = 0

    @workflow.query
    def progress(self) -> BackfillProgress:
        """Where the backfill stands."""
        is_paused = self._paused is not None and self._phase in {"opening", "running"}
        return BackfillProgress(
            state="paused" if is_paused else self._phase,
            paused=self._paused,
            parts=len(self._parts),
            parts_done=sum(part.done for part in self._parts.values()),
            pages=sum(part.page for part in self._parts.values()),
            counts=self._counts,
            waiting_until=self._waiting_until,
        )

    def should_stop(self) -> bool:
        """See `Guide`."""
        is_disturbed = self._paused is not None or self._trouble is not None
        return is_disturbed or self._should_continue_as_new() or self._is_crowded()

    def delay(self) -> float:
        """See `Guide`."""
        return self._paced_until - workflow.time() if self._rate else 0.0

    async def wait(self, seconds: float) -> None:
        """See `Guide`; a pause ends the wait, and so do `resume` and an error of another part."""
        resumed = self._resumed
        self._waiting_until = workflow.time() + seconds
        try:
            await workflow.wait_condition(
                lambda: self._paused is not None or self._trouble is not None or self._resumed > resumed,
                timeout=min(seconds, self._rest_of_run()),
            )
        except TimeoutError:
            return
        finally:
            self._waiting_until = None

    def fetched(self, head: PageHead) -> None:
        """See `Guide`."""
        if self._rate:
            earliest = workflow.time() - _CATCHES_UP_SECONDS
            self._paced_until = max(self._paced_until, earliest) + head.changes / self._rate

    def committed(self, head: PageHead, result: PageResult) -> None:
        """See `Guide`."""
        if head.part is not None:
            self._parts[head.part.part] = PartTicket(
                part=head.part.part, page=head.page, cursor=head.cursor, done=head.done
            )
        self._counts = self._counts.plus(result.counts)
        self._troubles = self._misbehaved = 0

    async def _work(self) -> BackfillResult:
        while True:
            await self._until_resumed()
            outcome = await self._stretch()
            if outcome in _GONE:
                return BackfillResult(outcome=outcome, counts=self._counts)
            if outcome is not None:
                return await self._close(outcome)
            if self._should_continue_as_new():
                self._continue_as_new()

    async def _stretch(self) -> str | None:
        """Open the backfill and work on its parts; None when something came in between and it is to be opened anew."""
        try:
            resumed = self._resumed
            ticket = await self._open(plan=True)
            if ticket.state == _PAUSED:  # while no workflow ran; or `resume` came while it was read
                self._recorded_pause = _OPERATOR
                self._paused = _OPERATOR if self._resumed == resumed else None
                return None
            if ticket.state != _RUNNING:
                return ticket.state
            self._phase = "running"
            await self._walk(ticket)
            if all(part.done for part in self._parts.values()):
                return COMPLETED
        except ActivityError as error:
            self._note(error)
        return await self._after_trouble()

    async def _open(self, *, plan: bool) -> BackfillTicket:
        self._phase = "opening"
        ticket = await self._steps.open(workflow.uuid4(), plan=plan)
        self._epoch, self._rate, self._counts = ticket.epoch, ticket.rows_per_second, ticket.counts
        self._parts = {part.part: part for part in ticket.parts}
        return ticket

    async def _walk(self, ticket: BackfillTicket) -> None:
        """Walk the parts that are not done, `window` of them side by side, or as many as a history has room for."""
        self._lanes = 0
        waiting = deque(part for part in ticket.parts if not part.done)
        await asyncio.gather(*(self._lane(ticket, waiting) for _ in range(min(ticket.window, len(waiting)))))

    async def _lane(self, ticket: BackfillTicket, waiting: deque[PartTicket]) -> None:
        if not self._has_room_for_lane() and workflow.patched(LANES):
            await workflow.wait_condition(self._has_room_for_lane)
        self._lanes += 1
        while waiting and not self.should_stop():
            part = waiting.popleft()
            try:
                await walk_pages(self._steps.pages(ticket, part.part), self, part.page, part.cursor)
            except ActivityError as error:
                self._note(error)
        self._lanes -= 1

    def _has_room_for_lane(self) -> bool:
        return not self._lanes or has_room_for_lanes(self._lanes + 1, self._steps.room.largest)

    def _is_crowded(self) -> bool:
        size = workflow.info().get_current_history_size()
        return is_crowded(self._lanes, self._steps.room.largest, size) and workflow.patched(LANES)

    def _note(self, error: ActivityError) -> None:
        """Remember what stopped a part; the others stop after the pages under way."""
        if is_cancelled_exception(error):
            raise error
        code = outcome_of(error)
        self._trouble = self._trouble or code
        is_final = isinstance(error.cause, ApplicationError) and error.cause.non_retryable
        if is_final and code not in _GONE | {_TAKEN_OVER}:
            self._paused = self._paused or code

    async def _after_trouble(self) -> str | None:
        """Wait for better times, or for somebody to act; the code where neither can help."""
        trouble, self._trouble = self._trouble, None
        if trouble is None or trouble in _GONE:
            return trouble
        self._troubles += 1
        self._misbehaved = self._misbehaved + 1 if trouble == _MISBEHAVED else 0
        if self._misbehaved >= _MISBEHAVES_AT_MOST:
            self._paused = self._paused or trouble
        if self._paused is None:
            self._tell_state("failing")
            await self.wait(min(_FIRST_WAIT_SECONDS * 2 ** (self._troubles - 1), _LONGEST_WAIT_SECONDS))
        return None

    async def _until_resumed(self) -> None:
        """Record a pause, or its end, and sleep for as long as it lasts."""
        while True:
            await self._record_pause()
            if self._paused is None:
                self._tell_state("ok")
                return
            self._tell_state("paused")
            try:
                await workflow.wait_condition(lambda: self._paused != self._recorded_pause, timeout=self._rest_of_run())
            except TimeoutError:
                self._continue_as_new()

    async def _record_pause(self) -> None:
        """Until the database says what the workflow says: either may change while the other is told."""
        while (wanted := self._paused) != self._recorded_pause:
            try:
                await self._steps.record_pause(paused=wanted is not None)
            except ActivityError as error:  # it is gone, and opening it tells so
                if is_cancelled_exception(error):
                    raise
            self._recorded_pause = wanted

    async def _close(self, outcome: str) -> BackfillResult:
        self._phase = "closing"
        try:
            if self._epoch is None:  # cancelled before it was open
                await self._open(plan=False)
            return await self._steps.close(self._epoch or 0, outcome)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return BackfillResult(outcome=outcome_of(error), counts=self._counts)

    def _tell_state(self, state: State) -> None:
        tell_state(state)

    def _age(self) -> timedelta:
        return workflow.now() - workflow.info().start_time

    def _rest_of_run(self) -> float:
        return max(0.0, (_RUN_AT_MOST - self._age()).total_seconds())

    def _should_continue_as_new(self) -> bool:
        return is_long() or self._age() >= _RUN_AT_MOST

    def _continue_as_new(self) -> None:
        workflow.continue_as_new(
            self._args.model_copy(
                update={
                    "paused": self._paused,
                    "troubles": self._troubles,
                    "misbehaved": self._misbehaved,
                    "paced_until": self._paced_until,
                }
            )
        )
