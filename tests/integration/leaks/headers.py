"""An interceptor that sends headers: with a client's calls, and with a workflow's activities."""

from collections.abc import Mapping
from typing import Any

import temporalio.client
import temporalio.worker
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    OutboundInterceptor,
    QueryWorkflowInput,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.worker import (
    ExecuteWorkflowInput,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle
from tests.integration.leaks.carrier import Load

# ruff: noqa: A002


def header(text: str) -> Payload:
    """A header's value."""
    return Payload(metadata={"encoding": b"json/plain"}, data=f'"{text}"'.encode())


class Headers(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """`of`: the headers of the calls about a workflow id."""

    def __init__(self) -> None:
        self.of: dict[str, Mapping[str, Payload]] = {}

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """Send them with a client's calls."""
        return _Calls(next, self)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: ARG002
        """Send them with activities."""
        return _Run


class _Calls(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, headers: Headers) -> None:
        super().__init__(next)
        self._headers = headers

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        input.headers = self._headers.of.get(input.id, input.headers)
        return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        input.headers = self._headers.of.get(input.id, input.headers)
        await super().signal_workflow(input)

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        input.headers = self._headers.of.get(input.id, input.headers)
        return await super().query_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        input.headers = self._headers.of.get(input.id, input.headers)
        return await super().start_workflow_update(input)


class _Run(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._sending = _Sending(outbound)
        super().init(self._sending)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        self._sending.load = input.args[0]
        return await super().execute_workflow(input)


class _Sending(WorkflowOutboundInterceptor):
    load = Load()

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        input.headers = self._added(input.headers)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        input.headers = self._added(input.headers)
        return super().start_local_activity(input)

    def _added(self, headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
        kind = self.load.deed.partition(": ")[2]
        if kind == "header":
            return {**headers, "trace": header(self.load.text)}
        return {**headers, self.load.text: header("constant")} if kind == "header key" else headers
