"""How errors cross Temporal: a type from a closed list in clear, everything else under seal.

Types are the names of the classes in `contactsync.errors`, plus `InternalError` for whatever is none of ours. The text
of a foreign error is dropped, since libraries quote values in theirs; the class's name is kept, sealed, and so is the
stack trace, which shows code and no values. Message and stack trace travel as encoded attributes.
"""

from datetime import timedelta
from typing import Final

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverterWithEncodedAttributes, PayloadConverter
from temporalio.exceptions import ApplicationError, FailureError

from contactsync import errors
from contactsync.errors import ContactSyncError, Retry, SourceThrottled

INTERNAL_ERROR: Final = "InternalError"
CLOSED_LIST: Final = frozenset(
    {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ContactSyncError)}
    | {INTERNAL_ERROR}
)
"""Every type of error that Temporal may see."""

_KNOWN_LIBRARIES: Final = frozenset(
    {
        "asyncio",
        "asyncpg",
        "builtins",
        "cryptography",
        "httpcore",
        "httpx",
        "json",
        "pydantic_core",
        "ssl",
        "temporalio",
    }
)


class SealedFailureConverter(DefaultFailureConverterWithEncodedAttributes):
    """Turns errors into Temporal failures that hold nothing of a person, and back."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Write `exception`, and the chain of its causes, into `failure`."""
        super().to_failure(as_failure_error(exception), payload_converter, failure)


def as_failure_error(exception: BaseException) -> FailureError:
    """The error as Temporal may have it; the one place where retry verdicts become Temporal's."""
    match exception:
        case ContactSyncError():
            return _like(exception, _declared(exception))
        case ApplicationError(failure=None):
            return _application_error(exception)
        case FailureError():
            return exception
        case _:
            return _like(exception, ApplicationError(_description(type(exception)), type=INTERNAL_ERROR))


def _application_error(error: ApplicationError) -> FailureError:
    """One of ours is kept; the SDK's wrapping of one of ours is undone, so that its verdict is what counts."""
    if error.type in CLOSED_LIST and error.type != INTERNAL_ERROR:
        return error
    if error.type is None and isinstance(error.__cause__, ContactSyncError):
        return as_failure_error(error.__cause__)
    plain = ApplicationError(
        _description(type(error)),
        type=INTERNAL_ERROR,
        non_retryable=error.non_retryable,
        next_retry_delay=error.next_retry_delay,
        category=error.category,
    )
    return _like(error, plain)


def _declared(error: ContactSyncError) -> ApplicationError:
    delay = timedelta(seconds=error.after_seconds) if isinstance(error, SourceThrottled) else None
    return ApplicationError(
        str(error), type=_type_of(error), non_retryable=error.retry is Retry.NEVER, next_retry_delay=delay
    )


def _type_of(error: ContactSyncError) -> str:
    return next(cls.__name__ for cls in type(error).__mro__ if cls.__name__ in CLOSED_LIST)


def _like(original: BaseException, error: ApplicationError) -> ApplicationError:
    """`error` with the stack trace and causes of the original."""
    error.__traceback__ = original.__traceback__
    error.__cause__ = original.__cause__
    error.__context__ = original.__context__
    error.__suppress_context__ = original.__suppress_context__
    return error


def _description(cls: type[BaseException]) -> str:
    library, _, _ = cls.__module__.partition(".")
    name = f"{cls.__module__}.{cls.__qualname__}" if library in _KNOWN_LIBRARIES else "an unknown error"
    return f"unexpected: {name.removeprefix('builtins.')}"
