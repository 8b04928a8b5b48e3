"""What a query of a workflow that may not be there means."""

import asyncio

import pytest
from temporalio.client import RPCTimeoutOrCancelledError, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from contactsync.errors import TemporalRefused, TemporalUnavailable
from contactsync.workers.refusals import answered, temporal_errors


async def _says(answer: str | Exception) -> str:
    if isinstance(answer, Exception):
        raise answer
    return answer


async def test_an_answer_is_given_on() -> None:
    """What the workflow says comes through."""
    assert await answered(_says("page 3")) == "page 3"


@pytest.mark.parametrize(
    "silence",
    [
        RPCError("", RPCStatusCode.NOT_FOUND, b""),
        RPCError("", RPCStatusCode.FAILED_PRECONDITION, b""),
        RPCError("", RPCStatusCode.UNAVAILABLE, b""),
        RPCTimeoutOrCancelledError(),
        WorkflowQueryFailedError(""),
    ],
)
async def test_where_nobody_answers_there_is_nothing(silence: Exception) -> None:
    """No workflow, no worker, no Temporal, or one that takes too long: None, and no error."""
    assert await answered(_says(silence)) is None


async def test_who_gives_up_is_not_told_that_nobody_answers() -> None:
    """The client makes one error of both: of a call without an answer, and of a caller who was cancelled."""
    with pytest.raises(TemporalUnavailable), temporal_errors():
        raise RPCTimeoutOrCancelledError from RPCError("", RPCStatusCode.DEADLINE_EXCEEDED, b"")
    with pytest.raises(asyncio.CancelledError), temporal_errors():
        raise RPCTimeoutOrCancelledError from asyncio.CancelledError()


async def test_a_workflow_that_gets_nowhere_may_be_asked_again() -> None:
    """Its worker may be frozen: Temporal's refusal is for now only."""
    said = "Unable to perform workflow execution update due to Workflow Task in failed state."
    with pytest.raises(TemporalUnavailable, match="look at its log"), temporal_errors():
        raise RPCError(said, RPCStatusCode.FAILED_PRECONDITION, b"")


async def test_a_refusal_is_an_error() -> None:
    """Whoever may not ask is told so, without the server's text."""
    with pytest.raises(TemporalRefused) as raised:
        await answered(_says(RPCError("Anna Schmidt", RPCStatusCode.PERMISSION_DENIED, b"")))
    assert "Anna" not in str(raised.value)
    assert raised.value.__cause__ is None
