"""`OffboardTenant`: the end of a tenant.

    disable ─▶ stop its workflows ─▶ quarantine ─┬─▶ destroy keys ─▶ delete rows ─▶ delete executions ─▶ certificate
                                                 └─ cancel: enable again

Its id is `platform/{nil}/offboard/{tenant}`, and its payloads are sealed with the platform's keys: the tenant's own end
half way. The database knows what was decided and done, so a workflow that is begun anew goes on from there.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.offboarding_messages import (
        Found,
        OffboardArgs,
        OffboardDecision,
        OffboardProgress,
        OffboardResult,
        Phase,
    )
    from contactsync.errors import OffboardingNotFound, SettingsError
    from contactsync.workflows.offboard_steps import OffboardSteps
    from contactsync.workflows.state_attribute import tell_state

WORKER: Final = "worker"
_RUN_AT_MOST: Final = timedelta(days=1)
_ACTOR_LENGTH: Final = 200
_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 5.0
_QUIET_ROUNDS: Final = 2
"""What Temporal lists lags behind: only so many empty rounds in a row say that nothing is left."""

_OPEN: Final = frozenset({"disabling", "quarantine"})


@workflow.defn
class OffboardTenant:
    """See the module."""

    @workflow.init
    def __init__(self, args: OffboardArgs) -> None:
        self._args = args
        self._opening_id = args.opening_id or workflow.uuid4()
        self._steps = OffboardSteps(args.tenant_id, self._opening_id)
        self._phase: Phase = args.phase
        self._quarantine_until = args.quarantine_until
        self._decided_by = args.decided_by
        self._cancelled = args.cancelled
        self._left = args.executions_left

    @workflow.run
    async def run(self, args: OffboardArgs) -> OffboardResult:  # noqa: ARG002  # `__init__` has them
        """To its end, or until it is cancelled; continues as new at least daily."""
        while self._phase != "ended":
            tell_state("holding" if self._phase in _OPEN else "ok")
            self._phase = await self._next()
            if self._phase != "ended" and self._is_long():
                self._continue_as_new()
        return OffboardResult(outcome="cancelled" if self._cancelled else "completed")

    @workflow.update
    def approve(self, decision: OffboardDecision) -> OffboardProgress:
        """End the quarantine at once: the keys are destroyed."""
        self._decided_by = decision.actor
        return self.progress()

    @workflow.update
    def cancel(self, decision: OffboardDecision) -> OffboardProgress:
        """Undo everything: the tenant works again."""
        self._decided_by, self._cancelled = decision.actor, True
        return self.progress()

    @approve.validator
    def _check_approval(self, decision: OffboardDecision) -> None:
        self._check(decision)

    @cancel.validator
    def _check_cancel(self, decision: OffboardDecision) -> None:
        self._check(decision)

    @workflow.query
    def progress(self) -> OffboardProgress:
        """How far it is."""
        return OffboardProgress(
            phase=self._phase,
            quarantine_until=self._quarantine_until,
            approved=self._decided_by is not None and not self._cancelled,
            cancelled=self._cancelled,
        )

    def _check(self, decision: OffboardDecision) -> None:
        if not 0 < len(decision.actor) <= _ACTOR_LENGTH:
            raise SettingsError("a decision about a tenant needs the opaque id of who decides")
        if self._phase not in _OPEN or self._decided_by is not None:
            raise OffboardingNotFound("nothing waits for a decision: it was approved, cancelled, or its time is over")

    async def _next(self) -> Phase:
        """Do what the present phase is for; the phase that follows."""
        work: dict[Phase, Callable[[], Awaitable[Phase]]] = {
            "disabling": self._disable,
            "quarantine": self._wait,
            "enabling": self._enable,
            "destroying": self._destroy,
            "deleting": self._delete,
            "closing": self._close,
            "certifying": self._certify,
        }
        return await work[self._phase]()

    async def _disable(self) -> Phase:
        ticket = await self._steps.disable(self._args.quarantine_seconds, self._args.actor)
        self._quarantine_until = ticket.quarantine_until
        if ticket.decided:  # by a run before this one: it is too late to cancel
            self._cancelled = False
            return "destroying"
        await self._until_quiet(self._steps.stop)
        return "quarantine"

    async def _wait(self) -> Phase:
        """The quarantine, or as much of it as fits into this run."""
        rest = (self._quarantine_until or 0.0) - workflow.time()
        if self._decided_by is None and rest > 0:
            try:
                await workflow.wait_condition(
                    lambda: self._decided_by is not None, timeout=min(rest, self._rest_of_run())
                )
            except TimeoutError:
                if self._rest_of_run() <= 0:
                    return "quarantine"
        return "enabling" if self._cancelled else "destroying"

    async def _enable(self) -> Phase:
        await self._steps.enable(self._actor())
        return "ended"

    async def _destroy(self) -> Phase:
        await self._steps.stop()  # what somebody started meanwhile
        await self._steps.destroy(self._actor())
        return "deleting"

    async def _delete(self) -> Phase:
        await self._steps.delete_rows()
        return "closing"

    async def _close(self) -> Phase:
        self._left = (await self._until_quiet(self._steps.delete_executions)).executions
        return "certifying"

    async def _certify(self) -> Phase:
        await self._steps.certify(self._actor(), self._left)
        return "ended"

    async def _until_quiet(self, look: Callable[[], Awaitable[Found]]) -> Found:
        """Look until nothing is found, or Temporal refuses to do anything about it."""
        quiet, wait = 0, _FIRST_WAIT_SECONDS
        while True:
            found = await look()
            quiet = quiet + 1 if found.executions == 0 else 0
            if found.refused or quiet == _QUIET_ROUNDS:
                return found
            await workflow.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)

    def _actor(self) -> str:
        return self._decided_by or WORKER

    def _age(self) -> timedelta:
        return workflow.now() - workflow.info().start_time

    def _rest_of_run(self) -> float:
        return max(0.0, (_RUN_AT_MOST - self._age()).total_seconds())

    def _is_long(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() or self._age() >= _RUN_AT_MOST

    def _continue_as_new(self) -> None:
        workflow.continue_as_new(
            self._args.model_copy(
                update={
                    "phase": self._phase,
                    "opening_id": self._opening_id,
                    "quarantine_until": self._quarantine_until,
                    "decided_by": self._decided_by,
                    "cancelled": self._cancelled,
                    "executions_left": self._left,
                }
            )
        )
