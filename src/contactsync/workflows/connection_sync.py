"""`ConnectionSync`: the endless live sync of one connection.

    open pass ─▶ walk of its pages (`page_walk`) ─▶ done; wait for the interval or `sync_now`

The workflow reads heads of pages only: counts, flags and an opaque cursor. What a pass has committed stays, whatever
ends it; the next pass goes on from there. A pass too long for one history goes on in the next run.
"""

from datetime import timedelta
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import (
        Counts,
        DeleteDecision,
        DeletesDecided,
        PageHead,
        PageResult,
        PassResult,
        PassTicket,
        PassUnderWay,
        PassWanted,
        PauseRequest,
        Progress,
        SyncArgs,
    )
    from contactsync.errors import SettingsError
    from contactsync.workflows.page_steps import outcome_of
    from contactsync.workflows.page_walk import walk_pages
    from contactsync.workflows.pass_steps import Steps
    from contactsync.workflows.run_bounds import is_long
    from contactsync.workflows.state_attribute import State, tell_state

COMPLETED = "completed"
PAUSED = "paused"
UNDER_WAY = "under_way"
_INTERVAL_WITHOUT_TICKET_SECONDS = 300.0
_RUN_AT_MOST = timedelta(days=1)
"""Payload keys are destroyed some days after their day, so no run may need yesterday's for long."""

_PAUSING_OUTCOMES = frozenset({"CredentialsRejected", "SourceLoops", "TenantDisabled"})
"""Trying again cannot help until somebody acts, and may lock the account."""

_MISBEHAVED = "SourceMisbehaved"
_MISBEHAVES_AT_MOST = 3
"""Passes in a row that may end because the source sends garbage, before the connection is paused."""

_MID_PASS = "goes-on-in-mid-pass"  # noqa: S105  # a patch of the workflow's shape, not a password
_ACTOR_LENGTH = 200


@workflow.defn
class ConnectionSync:
    """See the module. Its id is `sync/{tenant}/{connection}`."""

    @workflow.init
    def __init__(self, args: SyncArgs) -> None:
        self._args = args
        self._steps = Steps(args.tenant_id, args.connection_id)
        self._paused = args.paused
        self._recorded_pause: str | None = args.paused
        self._last = args.last
        self._next_due = args.next_due
        self._under_way = args.under_way
        self._finished = args.passes
        self._started = args.passes + (1 if args.under_way else 0)
        self._requested = args.requested
        self._asked = 0
        self._resumed = 0
        self._syncing = args.under_way is not None
        self._leaving = False
        self._page = 0
        self._counts = args.under_way.counts if args.under_way else Counts()
        self._misbehaved = args.misbehaved
        self._holding = args.holding
        self._waiting_until: float | None = None
        self._stages = False
        self._goes_on = True

    @workflow.run
    async def run(self, args: SyncArgs) -> None:
        """Passes without end; continues as new when Temporal suggests it, and at least daily."""
        self._goes_on = workflow.patched(_MID_PASS)
        if args.under_way is not None:
            await self._pass(args.under_way)
        while True:
            self._tell_state()
            await self._wait_for_work()
            await self._record_pause()
            if self._work_is_due():
                await self._pass(None)
            if self._stages or self._should_continue_as_new():
                await self._continue_when_idle()

    @workflow.update
    async def sync_now(self) -> PassResult:
        """Run a pass that starts after this moment, and return what it did.

        While the connection is paused, the outcome is `paused` and nothing is fetched. `under_way`: see `PassResult`.
        """
        wanted = self._started + 1
        self._requested = True
        self._asked += 1
        return await self._finished_pass(wanted)

    @workflow.update
    async def await_pass(self, wanted: PassWanted) -> PassResult:
        """What `sync_now` would have returned, had the workflow not gone on in another run."""
        return await self._finished_pass(wanted.number)

    @workflow.update
    async def approve_deletes(self, decision: DeleteDecision) -> DeletesDecided:
        """Delete what was held back; works while the connection is paused, too."""
        return await self._decide(decision, approve=True)

    @workflow.update
    async def reject_deletes(self, decision: DeleteDecision) -> DeletesDecided:
        """Keep what was held back, until another complete listing finds it gone again."""
        return await self._decide(decision, approve=False)

    @approve_deletes.validator
    def _check_approval(self, decision: DeleteDecision) -> None:
        _check_decision(decision)

    @reject_deletes.validator
    def _check_rejection(self, decision: DeleteDecision) -> None:
        _check_decision(decision)

    @workflow.signal
    def pause(self, request: PauseRequest) -> None:
        """Stop after the pages under way, until `resume`."""
        self._paused = request.reason

    @workflow.signal
    def resume(self) -> None:
        """Go on, with a pass at once."""
        self._paused = None
        self._next_due = None
        self._resumed += 1

    @workflow.query
    def progress(self) -> Progress:
        """Where the sync stands: state, pages and counts of the pass under way, the last pass, the next one's time."""
        return Progress(
            state="syncing" if self._syncing else "paused" if self._paused else "waiting",
            paused=self._paused,
            passes=self._finished,
            page=self._page,
            counts=self._counts,
            last=self._last,
            next_due=self._next_due,
            waiting_until=self._waiting_until,
        )

    def should_stop(self) -> bool:
        """See `Guide`."""
        return self._paused is not None or (self._goes_on and (is_long() or self._is_old()))

    def delay(self) -> float:
        """See `Guide`: live sync goes as fast as the source and its budget allow."""
        return 0.0

    async def wait(self, seconds: float) -> None:
        """See `Guide`; a pause ends the wait, and so does somebody who asks for a sync."""
        asked = self._asked
        self._waiting_until = workflow.time() + seconds
        longest = min(seconds, self._rest_of_run()) if self._goes_on else seconds
        try:
            await workflow.wait_condition(lambda: self._paused is not None or self._asked > asked, timeout=longest)
        except TimeoutError:
            return
        finally:
            self._waiting_until = None

    def fetched(self, head: PageHead) -> None:
        """See `Guide`: only what is committed counts."""

    def committed(self, head: PageHead, result: PageResult) -> None:
        """See `Guide`."""
        self._page = head.page
        self._counts = self._counts.plus(result.counts)

    async def _finished_pass(self, wanted: int) -> PassResult:
        await workflow.wait_condition(
            lambda: self._finished >= wanted or self._is_idle_in_pause() or self._leaving,
        )
        if self._finished >= wanted and self._last is not None:
            return self._last
        return self._no_pass(UNDER_WAY if self._leaving else PAUSED, wanted)

    async def _decide(self, decision: DeleteDecision, *, approve: bool) -> DeletesDecided:
        try:
            decided = await self._steps.decide(decision, approve=approve)
        except ActivityError as error:
            raise error.cause if isinstance(error.cause, ApplicationError) else error from None
        self._holding = False
        self._tell_state()
        return decided

    async def _wait_for_work(self) -> None:
        """Until there is work, a pause to record, or a day has passed."""
        seconds = self._seconds_to_next_event()
        if seconds <= 0:
            return
        try:
            await workflow.wait_condition(
                lambda: self._work_is_due() or self._paused != self._recorded_pause, timeout=seconds
            )
        except TimeoutError:
            return

    def _seconds_to_next_event(self) -> float:
        if self._paused:
            return self._rest_of_run()
        return min(self._rest_of_run(), (self._next_due or 0.0) - workflow.time())

    def _work_is_due(self) -> bool:
        if self._paused:
            return False
        return self._requested or self._next_due is None or workflow.time() >= self._next_due

    def _is_idle_in_pause(self) -> bool:
        return self._paused is not None and not self._syncing

    async def _record_pause(self) -> None:
        """Until the database says what the workflow says: either may change while the other is told."""
        while self._paused != self._recorded_pause:
            wanted = self._paused
            await self._steps.record_pause(wanted)
            self._recorded_pause = wanted
            self._tell_state()
            if not self._goes_on:
                return

    async def _pass(self, under_way: PassUnderWay | None) -> None:
        """A new pass, or the rest of one that began in the run before."""
        under_way = under_way or self._begin()
        ticket: PassTicket | None = None
        resumed = self._resumed
        try:
            ticket = await self._steps.open(under_way.pass_id)
            await self._adopt_pause(ticket, is_older=self._goes_on and self._resumed > resumed)
            outcome = await self._pages(ticket)
        except ActivityError as error:
            outcome = outcome_of(error)
        if outcome == UNDER_WAY:
            await self._continue_in_mid_pass(under_way)
        await self._end_pass(under_way, ticket, outcome)

    async def _adopt_pause(self, ticket: PassTicket, *, is_older: bool) -> None:
        """Take over what the database says, for it may have been paused while no workflow ran; `is_older`: `resume`
        came while it was read, so it is the database that must be told."""
        self._recorded_pause = ticket.paused
        if is_older:
            await self._record_pause()
        elif ticket.paused is not None:
            self._paused = ticket.paused

    def _begin(self) -> PassUnderWay:
        self._requested = False
        self._syncing = True
        self._started += 1
        self._page, self._counts = 0, Counts()
        return PassUnderWay(pass_id=workflow.uuid4(), started_at=workflow.time(), counts=self._counts)

    async def _pages(self, ticket: PassTicket) -> str:
        """Walk to the source's present; `paused` when a pause came in between, `under_way` when the run is too long."""
        self._holding, self._page, self._stages = ticket.holding, ticket.page, ticket.stages
        if self._paused is not None and (self._goes_on or ticket.paused is not None):
            return PAUSED
        steps = self._steps.pages(ticket, thorough=self._goes_on)
        if await walk_pages(steps, self, ticket.page, ticket.cursor):
            return COMPLETED
        return PAUSED if self._paused is not None else UNDER_WAY

    async def _end_pass(self, under_way: PassUnderWay, ticket: PassTicket | None, outcome: str) -> None:
        self._judge(outcome)
        if outcome != COMPLETED and ticket is not None:
            await self._steps.close(ticket, outcome)
        self._last = PassResult(
            pass_id=under_way.pass_id,
            outcome=outcome,
            counts=self._counts,
            started_at=under_way.started_at,
            ended_at=workflow.time(),
            paused=self._paused,
            number=self._started,
        )
        self._next_due = workflow.time() + self._interval_seconds(ticket)
        self._finished = self._started
        self._syncing = False

    def _judge(self, outcome: str) -> None:
        """Pause where trying again cannot help."""
        self._misbehaved = self._misbehaved + 1 if outcome == _MISBEHAVED else 0
        is_garbage = self._goes_on and self._misbehaved >= _MISBEHAVES_AT_MOST
        if outcome in _PAUSING_OUTCOMES or is_garbage:
            self._paused = outcome
            self._misbehaved = 0
        self._holding = self._holding or self._counts.held > 0

    def _interval_seconds(self, ticket: PassTicket | None) -> float:
        if ticket is None:
            return _INTERVAL_WITHOUT_TICKET_SECONDS
        return ticket.interval_seconds + workflow.random().uniform(0, ticket.jitter_seconds)

    def _no_pass(self, outcome: str, wanted: int) -> PassResult:
        now = workflow.time()
        return PassResult(
            pass_id=UUID(int=0),
            outcome=outcome,
            counts=Counts(),
            started_at=now,
            ended_at=now,
            paused=self._paused,
            number=wanted,
        )

    def _tell_state(self) -> None:
        if self._goes_on:
            tell_state(self._state())

    def _state(self) -> State:
        if self._paused is not None:
            return "paused"
        if self._last is not None and self._last.outcome not in {COMPLETED, PAUSED}:
            return "failing"
        return "holding" if self._holding else "ok"

    def _age(self) -> timedelta:
        return workflow.now() - workflow.info().start_time

    def _rest_of_run(self) -> float:
        return (_RUN_AT_MOST - self._age()).total_seconds()

    def _should_continue_as_new(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() or self._is_old()

    def _is_old(self) -> bool:
        return self._age() >= _RUN_AT_MOST

    async def _continue_when_idle(self) -> None:
        """As a new run, once nobody waits for an update; a pass that somebody waits for runs first."""
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() or self._work_is_due())
        if not workflow.all_handlers_finished():
            return
        if self._goes_on and self._paused != self._recorded_pause:
            return
        self._continue_as_new(None)

    async def _continue_in_mid_pass(self, under_way: PassUnderWay) -> None:
        """As a new run, with the pass; who waits for it is told to ask there."""
        self._leaving = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._continue_as_new(under_way.model_copy(update={"counts": self._counts}))

    def _continue_as_new(self, under_way: PassUnderWay | None) -> None:
        workflow.continue_as_new(
            self._args.model_copy(
                update={
                    "paused": self._paused,
                    "passes": self._finished,
                    "last": self._last,
                    "next_due": self._next_due,
                    "under_way": under_way,
                    "misbehaved": self._misbehaved,
                    "requested": self._requested,
                    "holding": self._holding,
                }
            )
        )


def _check_decision(decision: DeleteDecision) -> None:
    if not 0 < len(decision.actor) <= _ACTOR_LENGTH:
        raise SettingsError("a decision about held deletions needs the opaque id of who decides")
