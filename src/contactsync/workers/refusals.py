"""What errors mean: Temporal's as ours, and codes of the closed list as the errors they name."""

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import contextmanager
from typing import Final, TypeVar

from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from contactsync.codecs.payloads.connect import error_of
from contactsync.errors import ContactSyncError, SourceThrottled, TemporalError, TemporalRefused, TemporalUnavailable

INTERNAL = "InternalError"
"""The code of what is no error of the closed list."""

_GETS_NOWHERE: Final = (
    "three times in a row nobody answered for the workflow; its worker may stand still, be overloaded or fail: "
    "look at its log, and try again"
)
"""Temporal takes no update then: https://docs.temporal.io/sending-messages#sending-updates"""

_NOBODY_ANSWERS: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION})

Answer = TypeVar("Answer")


def error_class(code: str) -> type[ContactSyncError]:
    """The class that a code of the closed list names; `ContactSyncError` for every other."""
    waiting: list[type[ContactSyncError]] = [ContactSyncError]
    while waiting:
        each = waiting.pop()
        if each.__name__ == code:
            return each
        waiting.extend(each.__subclasses__())
    return ContactSyncError


def known_code(code: str) -> str:
    """The code itself where it is one of the closed list; it may be shown then, and be a label."""
    return code if error_class(code).__name__ == code else INTERNAL


def named_error(code: str, message: str) -> ContactSyncError:
    """The error that a code of the closed list names, saying `message`."""
    cls = error_class(code)
    return SourceThrottled(message, after_seconds=0) if issubclass(cls, SourceThrottled) else cls(message)


def sentence_of(code: str) -> str:
    """The default sentence of a code."""
    return (error_class(code).__doc__ or "").strip()


@contextmanager
def temporal_errors() -> Generator[None]:
    """Turns the client's errors into ours; their texts are dropped. A cancelled call stays one."""
    try:
        yield
    except RPCError as error:
        raise refusal_of(error) from None
    except RPCTimeoutOrCancelledError as error:
        if isinstance(error.__cause__, asyncio.CancelledError):  # to the client whoever gives up was not answered
            raise error.__cause__ from None
        raise TemporalUnavailable from None
    except (WorkflowUpdateFailedError, WorkflowFailureError) as error:
        raise _ending_of(error) from None


async def answered(query: Awaitable[Answer]) -> Answer | None:
    """What a query of a workflow answers; None where no workflow runs, or no worker answers in time.

    Raises:
        TemporalRefused: it may not be asked.
    """
    try:
        return await query
    except (RPCTimeoutOrCancelledError, WorkflowQueryFailedError):
        return None
    except RPCError as error:
        refusal = refusal_of(error)
        if error.status in _NOBODY_ANSWERS or isinstance(refusal, TemporalUnavailable):
            return None
        raise refusal from None


def refusal_of(error: RPCError) -> TemporalError:
    """What a failed call means; where somebody can do something about it, it says what."""
    if error.status is RPCStatusCode.INVALID_ARGUMENT and "search attribute" in error.message:
        return TemporalRefused("Temporal does not know contactsync's search attributes; run `contactsync migrate`")
    if error.status is RPCStatusCode.NOT_FOUND and "amespace" in error.message:
        return TemporalRefused("there is no such Temporal namespace; create it, or check the setting")
    if error.status is RPCStatusCode.FAILED_PRECONDITION and "Workflow Task" in error.message:
        return TemporalUnavailable(_GETS_NOWHERE)
    return error_of(error)


def _ending_of(error: WorkflowUpdateFailedError | WorkflowFailureError) -> ContactSyncError:
    """What the workflow itself said, if it is of the closed list; else that it was ended."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and known_code(cause.type or "") != INTERNAL:
        return named_error(cause.type or "", cause.message)
    return TemporalRefused("the workflow was ended while it was waited for; start it again")
