"""`ConnectionSync`: the endless live sync of one connection.

    open pass ─▶ fetch page 1 ─▶ sanitize 1 ─▶ upsert 1
                     └▶ fetch page 2 ─▶ sanitize 2 ─▶ upsert 2 ─▶ … ─▶ done; wait for the interval or `sync_now`

Page n+1 is fetched while page n is cleaned and written. The workflow reads heads of pages only: counts, flags and an
opaque cursor. What a pass has committed stays, whatever ends it; the next pass goes on from there.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import (
        CleanPage,
        Counts,
        PassResult,
        PassTicket,
        PauseRequest,
        Progress,
        SyncArgs,
    )
    from contactsync.workflows.pass_steps import Steps, outcome_of

COMPLETED = "completed"
PAUSED = "paused"
_INTERVAL_WITHOUT_TICKET_SECONDS = 300.0
_RUN_AT_MOST = timedelta(days=1)
"""Payload keys are destroyed some days after their day, so no run may need yesterday's for long."""

_PAUSING_OUTCOMES = frozenset({"CredentialsRejected"})
"""Trying again cannot help until somebody acts, and may lock the account."""


@workflow.defn
class ConnectionSync:
    """See the module. Its id is `sync/{tenant}/{connection}`."""

    @workflow.init
    def __init__(self, args: SyncArgs) -> None:
        self._args = args
        self._steps = Steps(args.tenant_id, args.connection_id)
        self._paused = args.paused
        self._recorded_pause = args.paused
        self._last = args.last
        self._next_due = args.next_due
        self._started = args.passes
        self._finished = args.passes
        self._requested = False
        self._syncing = False
        self._page = 0
        self._counts = Counts()

    @workflow.run
    async def run(self, args: SyncArgs) -> None:
        """Passes without end; continues as new when Temporal suggests it, and at least daily."""
        while True:
            await self._wait_for_work()
            await self._record_pause()
            if self._work_is_due():
                await self._pass()
            if self._should_continue_as_new():
                await self._continue_as_new(args)

    @workflow.update
    async def sync_now(self) -> PassResult:
        """Run a pass that starts after this moment, and return what it did.

        While the connection is paused, the outcome is `paused` and nothing is fetched.
        """
        wanted = self._started + 1
        self._requested = True
        await workflow.wait_condition(lambda: self._finished >= wanted or self._is_idle_in_pause())
        if self._finished < wanted or self._last is None:
            return self._paused_result()
        return self._last

    @workflow.signal
    def pause(self, request: PauseRequest) -> None:
        """Stop after the page under way, until `resume`."""
        self._paused = request.reason

    @workflow.signal
    def resume(self) -> None:
        """Go on, with a pass at once."""
        self._paused = None
        self._next_due = None

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
        )

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
        rest_of_run = (_RUN_AT_MOST - self._age()).total_seconds()
        if self._paused:
            return rest_of_run
        return min(rest_of_run, (self._next_due or 0.0) - workflow.time())

    def _work_is_due(self) -> bool:
        if self._paused:
            return False
        return self._requested or self._next_due is None or workflow.time() >= self._next_due

    def _is_idle_in_pause(self) -> bool:
        return self._paused is not None and not self._syncing

    async def _record_pause(self) -> None:
        if self._paused != self._recorded_pause:
            wanted = self._paused
            await self._steps.record_pause(wanted)
            self._recorded_pause = wanted

    async def _pass(self) -> None:
        self._requested = False
        self._syncing = True
        self._started += 1
        self._page, self._counts = 0, Counts()
        pass_id, started_at = workflow.uuid4(), workflow.time()
        ticket: PassTicket | None = None
        try:
            ticket = await self._steps.open(pass_id)
            outcome = await self._pages(ticket)
        except ActivityError as error:
            outcome = outcome_of(error)
        await self._end_pass(pass_id, ticket, outcome, started_at)

    async def _pages(self, ticket: PassTicket) -> str:
        """Walk to the source's present; `completed`, or `paused` when a pause came in between."""
        if ticket.paused is not None:  # paused while no workflow ran
            self._paused = self._recorded_pause = ticket.paused
            return PAUSED
        fetching = self._steps.fetch(ticket, ticket.page + 1, ticket.cursor)
        writing: asyncio.Task[None] | None = None
        try:
            while True:
                page = await fetching
                stop = page.head.done or self._paused is not None
                if not stop:
                    fetching = self._steps.fetch(ticket, page.head.page + 1, page.head.cursor)
                clean = await self._steps.sanitize(page)
                if writing is not None:
                    await writing
                writing = asyncio.create_task(self._write(clean))
                if stop:
                    await writing
                    return COMPLETED if page.head.done else PAUSED
        finally:
            await self._steps.abandon(fetching, writing)

    async def _write(self, clean: CleanPage) -> None:
        result = await self._steps.upsert(clean)
        self._page = clean.head.page
        self._counts = self._counts.plus(result.counts)

    async def _end_pass(self, pass_id: UUID, ticket: PassTicket | None, outcome: str, started_at: float) -> None:
        if outcome in _PAUSING_OUTCOMES:
            self._paused = outcome
        if outcome != COMPLETED and ticket is not None:
            await self._steps.close(ticket, outcome)
        self._last = PassResult(
            pass_id=pass_id,
            outcome=outcome,
            counts=self._counts,
            started_at=started_at,
            ended_at=workflow.time(),
            paused=self._paused,
        )
        self._next_due = workflow.time() + self._interval_seconds(ticket)
        self._finished = self._started
        self._syncing = False

    def _interval_seconds(self, ticket: PassTicket | None) -> float:
        if ticket is None:
            return _INTERVAL_WITHOUT_TICKET_SECONDS
        return ticket.interval_seconds + workflow.random().uniform(0, ticket.jitter_seconds)

    def _paused_result(self) -> PassResult:
        now = workflow.time()
        return PassResult(
            pass_id=UUID(int=0),
            outcome=PAUSED,
            counts=Counts(),
            started_at=now,
            ended_at=now,
            paused=self._paused,
        )

    def _age(self) -> timedelta:
        return workflow.now() - workflow.info().start_time

    def _should_continue_as_new(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() or self._age() >= _RUN_AT_MOST

    async def _continue_as_new(self, args: SyncArgs) -> None:
        """As a new run, once nobody waits for an update; a pass that somebody waits for runs first."""
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() or self._work_is_due())
        if not workflow.all_handlers_finished():
            return
        workflow.continue_as_new(
            args.model_copy(
                update={
                    "paused": self._paused,
                    "passes": self._finished,
                    "last": self._last,
                    "next_due": self._next_due,
                }
            )
        )
