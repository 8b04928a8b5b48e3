"""Errors on their way through Temporal."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, FailureError, RetryState

from contactsync import errors
from contactsync.codecs.payloads.converter import MessageConverter
from contactsync.codecs.payloads.failures import CLOSED_LIST, SealedFailureConverter
from contactsync.errors import (
    ContactSyncError,
    CredentialsRejected,
    DatabaseUnavailable,
    OpenRefused,
    Retry,
    SourceMisbehaved,
    SourceThrottled,
)

PLANTED = "planted.person@example.org"


class ErrorOfANewerVersion(SourceMisbehaved):
    """not in the closed list"""


def failure_of(error: BaseException) -> Failure:
    """The failure that Temporal gets, before the codec seals its attributes."""
    failure = Failure()
    SealedFailureConverter().to_failure(error, MessageConverter(), failure)
    return failure


def sealed_part(failure: Failure) -> dict[str, str]:
    """What travels under seal."""
    attributes: dict[str, str] = MessageConverter().from_payload(failure.encoded_attributes, dict[str, str])
    return attributes


def raised(make: Callable[[], BaseException]) -> BaseException:
    """An error with a stack trace."""
    try:
        raise make()
    except BaseException as error:  # noqa: BLE001  # whatever the test raises
        return error


def chain(failure: Failure) -> list[Failure]:
    """A failure and its causes."""
    return [failure, *(chain(failure.cause) if failure.HasField("cause") else [])]


ONE_OF_EACH = [
    SourceThrottled(after_seconds=90) if cls is SourceThrottled else cls()
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, ContactSyncError)
]


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: error.code)
def test_each_of_our_errors_carries_its_code_and_verdict(error: ContactSyncError) -> None:
    """Type and retry verdict are clear, message and stack trace are under seal, and the way back gives them all."""
    failure = failure_of(raised(lambda: error))
    info = failure.application_failure_info
    assert (info.type, info.non_retryable) == (error.code, error.retry is Retry.NEVER)
    assert (failure.message, failure.stack_trace) == ("Encoded failure", "")
    assert sealed_part(failure)["message"] == str(error)
    assert "raise make()" in sealed_part(failure)["stack_trace"]
    back = SealedFailureConverter().from_failure(failure, MessageConverter())
    assert isinstance(back, ApplicationError)
    assert (back.message, back.type) == (str(error), error.code)


def test_a_throttled_source_names_its_delay() -> None:
    """`after_seconds` becomes Temporal's next retry delay."""
    info = failure_of(SourceThrottled(after_seconds=90)).application_failure_info
    assert info.next_retry_delay.ToTimedelta() == timedelta(seconds=90)


def test_an_error_outside_the_closed_list_has_its_nearest_parents_type() -> None:
    """A subclass that the list does not know does not add a type."""
    assert failure_of(ErrorOfANewerVersion()).application_failure_info.type == "SourceMisbehaved"
    assert "ErrorOfANewerVersion" not in CLOSED_LIST


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(PLANTED), "unexpected: ValueError"),
        (UnicodeEncodeError("utf-8", PLANTED, 0, 1, PLANTED), "unexpected: UnicodeEncodeError"),
        (TimeoutError(PLANTED), "unexpected: TimeoutError"),
        (type(PLANTED, (Exception,), {})(PLANTED), "unexpected: an unknown error"),
        (ApplicationError(PLANTED, PLANTED, type=PLANTED), "unexpected: temporalio.exceptions.ApplicationError"),
        (ApplicationError(PLANTED, type="InternalError"), "unexpected: temporalio.exceptions.ApplicationError"),
        (ApplicationError(PLANTED), "unexpected: temporalio.exceptions.ApplicationError"),
    ],
    ids=["value", "unicode", "builtin", "unknown", "foreign type", "internal", "no type"],
)
def test_p24_a_foreign_error_loses_its_text(error: BaseException, said: str) -> None:
    """Type `InternalError`, the class's name under seal if it is a known library's, and nothing else of it."""
    failure = failure_of(error)
    assert failure.application_failure_info.type == "InternalError"
    assert not failure.application_failure_info.HasField("details")
    assert sealed_part(failure)["message"] == said
    assert PLANTED.encode() not in failure.SerializeToString()


def test_p24_causes_are_cut_alike() -> None:
    """Whatever hangs behind an error, as cause or context, loses its text too."""

    def with_causes() -> BaseException:
        error = SourceMisbehaved()
        error.__cause__ = raised(lambda: KeyError(PLANTED))
        error.__cause__.__context__ = raised(lambda: RuntimeError(PLANTED))
        return error

    failure = failure_of(with_causes())
    assert [link.application_failure_info.type for link in chain(failure)] == [
        "SourceMisbehaved",
        "InternalError",
        "InternalError",
    ]
    assert PLANTED.encode() not in failure.SerializeToString()


def test_a_suppressed_context_stays_suppressed() -> None:
    """`from None` at a boundary holds on the way through Temporal."""

    def from_none() -> BaseException:
        try:
            raise ValueError(PLANTED)
        except ValueError:
            return raised_from_none()

    def raised_from_none() -> BaseException:
        try:
            raise DatabaseUnavailable from None
        except DatabaseUnavailable as error:
            return error

    assert len(chain(failure_of(from_none()))) == 1


def test_the_sdks_wrapping_of_our_errors_is_undone() -> None:
    """ "Failed decoding arguments" because a payload was refused is the refusal, which is never retried."""
    wrapped = ApplicationError("Failed decoding arguments")
    wrapped.__cause__ = OpenRefused()
    failure = failure_of(wrapped)
    assert (failure.application_failure_info.type, failure.application_failure_info.non_retryable) == (
        "OpenRefused",
        True,
    )
    assert len(chain(failure)) == 1


def test_what_temporal_raised_keeps_its_meaning() -> None:
    """An activity's error in a workflow, and a cancellation, pass with their causes as they are."""
    activity = ActivityError(
        "Activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="worker",
        activity_type="fetch_page",
        activity_id="1",
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
    arrived = SealedFailureConverter().from_failure(failure_of(CredentialsRejected()), MessageConverter())
    assert isinstance(arrived, FailureError)
    activity.__cause__ = arrived
    failure = failure_of(activity)
    assert failure.WhichOneof("failure_info") == "activity_failure_info"
    assert failure.cause.application_failure_info.type == "CredentialsRejected"
    assert failure_of(CancelledError("Cancelled")).HasField("canceled_failure_info")
