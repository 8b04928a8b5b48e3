"""A workflow that carries a planted string into one channel: the deed that it is started with says which.

What it is started with holds the string's number only, so that the string itself is nowhere but in that channel.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import FunctionType
from typing import Any, Final, NoReturn

from temporalio import activity, workflow
from temporalio.common import Priority, RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from tests.integration.leaks.scanning import id_with, planted

    from contactsync.activities.messages import Message
    from contactsync.errors import SourceMisbehaved

# ruff: noqa: ARG001, ARG002  # what is taken is not used: it is the way that counts

SHORT: Final = timedelta(seconds=20)
SOON: Final = timedelta(milliseconds=1)
TENANT_KEY: Final = SearchAttributeKey.for_keyword("ContactSyncTenant")


class Load(Message):
    """What to do, and the parts of the string to do it with."""

    deed: str = "nothing"
    number: int = 0
    token: str = ""
    run: int = 0

    @property
    def text(self) -> str:
        """The planted string."""
        return planted(self.number, self.token)


class Said(Message):
    """A message with the string in it."""

    text: str


def attribute(text: str) -> TypedSearchAttributes:
    """A search attribute with this value."""
    return TypedSearchAttributes([SearchAttributePair(TENANT_KEY, text)])


def fail(kind: str, text: str) -> None:
    """An error with the string in one place."""
    match kind:
        case "ours":
            raise SourceMisbehaved(text)
        case "foreign":
            raise ValueError(text)
        case "type":
            raise ApplicationError("constant", type=text, non_retryable=True)
        case "class":
            raise type(text, (Exception,), {})("constant")
        case "details":
            raise ApplicationError("constant", text, type="SettingsError", non_retryable=True)
        case "cause":
            raise ApplicationError("constant", type="SettingsError", non_retryable=True) from SourceMisbehaved(text)
        case "cause's type":
            raise SourceMisbehaved from ApplicationError("constant", type=text)
        case "cause's details":
            raise SourceMisbehaved from ApplicationError("constant", text, type="SettingsError")
        case "second cause":
            first = SourceMisbehaved("constant")
            first.__cause__ = SourceMisbehaved(text)
            raise SourceMisbehaved from first
        case "context":
            error = SourceMisbehaved("constant")
            error.__context__ = SourceMisbehaved(text)
            raise error
        case "trace":
            named = FunctionType(_raise.__code__.replace(co_name=text, co_qualname=text), globals())
            named()
        case _:
            raise AssertionError(kind)


def _raise() -> NoReturn:
    raise SourceMisbehaved


@activity.defn
async def take(said: Said) -> str:
    """Take it, and answer with nothing."""
    return "taken"


@activity.defn
async def give(load: Load) -> str:
    """Answer with it."""
    return load.text


@activity.defn
async def fail_as(load: Load) -> None:
    """Fail with it."""
    fail(load.deed, load.text)


@activity.defn
async def beat(load: Load) -> None:
    """Send it with a heartbeat; then fail, or hang until the heartbeat is missed."""
    activity.heartbeat(load.text)
    if load.deed == "timed out":
        await asyncio.Event().wait()
    fail("ours", "constant")


@activity.defn
async def finish_later(load: Load) -> str:
    """Be completed by somebody else."""
    activity.raise_complete_async()


ACTIVITIES: Final[list[Callable[..., Awaitable[object]]]] = [take, give, fail_as, beat, finish_later]
ONCE: Final = RetryPolicy(maximum_attempts=1)


@workflow.defn
class Quiet:
    """Waits to be ended; answers what it is asked."""

    @workflow.run
    async def run(self, load: Load) -> str:
        """Give the string back, fail with it, or wait."""
        if load.deed == "give":
            return load.text
        if load.deed == "fail":
            raise ApplicationError(load.text, type="SettingsError")
        await workflow.wait_condition(lambda: False)
        return ""

    @workflow.signal
    def hear(self, said: Said) -> None:
        """Hear it."""

    @workflow.query
    def ask(self, load: Load) -> str:
        """Answer with it, or fail with it."""
        if load.deed == "fail":
            fail("foreign", load.text)
        return load.text

    @workflow.query
    def asked(self, said: Said) -> str:
        """Take it."""
        return "asked"

    @workflow.update
    async def tell(self, load: Load) -> str:
        """Answer with it, or fail with it."""
        if load.deed == "fail":
            raise ApplicationError(load.text, type="SettingsError")
        return load.text

    @workflow.update
    async def told(self, said: Said) -> str:
        """Take it."""
        return "told"

    @tell.validator
    def refuse(self, load: Load) -> None:
        """Refuse with it."""
        if load.deed == "refuse":
            fail("foreign", load.text)


def options_of(deed: str, text: str) -> dict[str, Any]:
    """What an activity or a child is started with besides."""
    options: dict[str, dict[str, Any]] = {
        "summary": {"summary": text},
        "id": {"activity_id": text},
        "task queue": {"task_queue": f"{text}@"},
        "error types": {"retry_policy": RetryPolicy(maximum_attempts=1, non_retryable_error_types=[text])},
        "fairness": {"priority": Priority(fairness_key=text)},
    }
    return options.get(deed, {})


def child_options_of(deed: str, text: str) -> dict[str, Any]:
    """What a child is started with besides."""
    options: dict[str, dict[str, Any]] = {
        "id": {"id": id_with(text)},
        "memo": {"memo": {"memo": text}},
        "memo key": {"memo": {text: "constant"}},
        "attribute": {"search_attributes": attribute(text)},
        "summary": {"static_summary": text},
        "details": {"static_details": text},
        "cron": {"cron_schedule": f"CRON_TZ={text} 0 0 1 1 *"},
    }
    return options.get(deed) or options_of(deed, text)
