"""An interceptor that sends a header with every activity, and remembers what arrives."""

from collections.abc import Mapping
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

HEADER = Payload(metadata={"encoding": b"json/plain"}, data=b'"planted50.person@example.org"')


class HeaderInterceptor(Interceptor):
    """`arrived`: the headers that activities were given."""

    def __init__(self) -> None:
        self.arrived: list[Mapping[str, Payload]] = []

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Look at what arrives."""
        return _Arriving(next, self.arrived)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002, ARG002
        """Send the header."""
        return _Workflow


class _Arriving(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, arrived: list[Mapping[str, Payload]]) -> None:  # noqa: A002
        super().__init__(next)
        self._arrived = arrived

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        self._arrived.append(dict(input.headers))
        return await super().execute_activity(input)


class _Workflow(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Sending(outbound))


class _Sending(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002
        input.headers = {"trace": HEADER}
        return super().start_activity(input)
