"""A log line for each activity that ended: which, for whom, how long, how many, and the code if it failed."""

import time

import structlog
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from contactsync.activities.messages import PageResult
from contactsync.errors import ContactSyncError


class ActivityLogs(Interceptor):
    """Logs what a worker's activities do; ids, counts and codes only, as `log_lines.py` allows."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the base's
        """Stand before every activity."""
        return _Logged(next)


class _Logged(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002  # the base's
        started = time.monotonic()
        try:
            result: object = await super().execute_activity(input)
        except BaseException as error:
            _line(started).warning("activity failed", code=_code(error))
            raise
        counts = result.counts.model_dump() if isinstance(result, PageResult) else {}
        _line(started).info("activity done", **counts)
        return result


def _line(started: float) -> structlog.typing.FilteringBoundLogger:
    info = activity.info()
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger.bind(
        activity=info.activity_type,
        workflow_id=info.workflow_id,
        attempt=info.attempt,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


def _code(error: BaseException) -> str:
    return error.code if isinstance(error, ContactSyncError) else type(error).__name__
