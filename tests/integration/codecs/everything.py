"""A workflow that sends a payload in every way there is. Each planted string has a number of its own."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from contactsync.activities.messages import CleanPage, Message, Page
from contactsync.errors import SourceMisbehaved

ONCE = RetryPolicy(maximum_attempts=1)
SHORT = timedelta(seconds=20)


def planted(number: int) -> str:
    """A string that must not be found at the server."""
    return f"planted{number}.person@example.org"


class Said(Message):
    """A message with a personal value."""

    text: str
    run: int = 0


@activity.defn
async def echo(said: Said) -> Said:
    """Heartbeat and answer."""
    activity.heartbeat(planted(1), said)
    return said.model_copy(update={"text": said.text + planted(2)})


@activity.defn
async def fail_after_heartbeat(said: Said) -> None:
    """Heartbeat, then fail with values in the error, its details and its cause."""
    activity.heartbeat(planted(3), said)
    try:
        raise KeyError(planted(4))
    except KeyError as error:
        raise ApplicationError(planted(5), planted(6), said, type=planted(7)) from error


@activity.defn
async def fail_as_ours() -> None:
    """Fail with one of our errors."""
    raise SourceMisbehaved


@workflow.defn
class Child:
    """A child that answers what it was asked."""

    @workflow.run
    async def run(self, said: Said) -> Said:
        """Wait for the signal, then answer."""
        await workflow.wait_condition(lambda: self._heard)
        return said

    def __init__(self) -> None:
        self._heard = False

    @workflow.signal
    def hear(self, said: Said) -> None:
        """Be signalled by the parent."""
        self._heard = bool(said.text)


@workflow.defn
class Everything:
    """Arguments, results, memo, signals, queries, updates, failures, heartbeats, children, continue-as-new."""

    def __init__(self) -> None:
        self._heard: list[str] = []

    @workflow.run
    async def run(self, said: Said) -> Said:
        """Do it all, continue as new once, and answer."""
        await workflow.wait_condition(lambda: len(self._heard) > 0)
        workflow.upsert_memo({"later": planted(8)})
        workflow.set_current_details(planted(9))
        if workflow.patched("a-patch"):
            await workflow.execute_local_activity(echo, Said(text=planted(10)), start_to_close_timeout=SHORT)
        answer = await workflow.execute_activity(
            echo, said, start_to_close_timeout=SHORT, heartbeat_timeout=SHORT, summary=planted(11)
        )
        await workflow.sleep(timedelta(milliseconds=1), summary=planted(12))
        await self._child(answer)
        await self._failures(said)
        if said.run == 0:
            await workflow.wait_condition(workflow.all_handlers_finished)
            workflow.continue_as_new(said.model_copy(update={"run": 1}), memo={"new": planted(13)})
        return answer

    async def _child(self, said: Said) -> None:
        child = await workflow.start_child_workflow(
            Child.run, said, id=workflow.info().workflow_id + "/1", memo={"child": planted(14)}
        )
        await child.signal(Child.hear, Said(text=planted(15)))
        await child

    async def _failures(self, said: Said) -> None:
        for failing, arguments in ((fail_after_heartbeat, [said]), (fail_as_ours, [])):
            try:
                await workflow.execute_activity(
                    failing, args=arguments, start_to_close_timeout=SHORT, heartbeat_timeout=SHORT, retry_policy=ONCE
                )
            except ActivityError as error:
                self._heard.append(type(error.cause).__name__)

    @workflow.signal
    def hear(self, said: Said) -> None:
        """Hear something."""
        self._heard.append(said.text)

    @workflow.query
    def heard(self, said: Said) -> list[str]:
        """What was heard."""
        return [said.text, *self._heard]

    @workflow.update
    async def tell(self, said: Said) -> Said:
        """Answer with what was told."""
        return said

    @tell.validator
    def refuse(self, said: Said) -> None:
        """Refuse with a value in the error."""
        if said.run == 99:
            raise ValueError(planted(16))


@workflow.defn
class Failing:
    """A workflow that fails with values in its error, or passes a raw payload on."""

    @workflow.run
    async def run(self, said: RawValue) -> RawValue:
        """Pass it through an activity unopened, then fail."""
        await workflow.execute_activity("echo", said, start_to_close_timeout=SHORT)
        raise ApplicationError(planted(17), planted(18), type="InternalError", non_retryable=True)


@workflow.defn
class Paging:
    """A workflow that reads a page's head and hands its body on."""

    @workflow.run
    async def run(self, page: Page) -> CleanPage:
        """The page with its number in the head raised by one, and the body as it came."""
        return CleanPage(page.head.model_copy(update={"page": page.head.page + 1}), page.body)
