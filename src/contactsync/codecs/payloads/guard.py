"""The guard of what travels in clear, as interceptors: each stands nearest to the server.

A client's calls pass its interceptors from the first to the last, a workflow's commands from the last to the first; so
there are two, one for each end of the client's list.
"""

from collections.abc import Collection
from typing import Final

import temporalio.client
import temporalio.worker

from contactsync.codecs.payloads.client_guard import ClientGuard
from contactsync.codecs.payloads.workflow_guard import WorkflowGuard


class GuardedCalls(temporalio.client.Interceptor):
    """Refuses a client's calls with something in clear that is not of a closed form; see `forms`."""

    def __init__(self, names: Collection[str] | None) -> None:
        self._names: Final = names

    def intercept_client(self, next: temporalio.client.OutboundInterceptor) -> ClientGuard:  # noqa: A002  # the base's
        """Stand before a client's calls."""
        return ClientGuard(next, self._names)


class GuardedCommands(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """The same for what workflows send. It is a client's too, since workers take over what is both."""

    def workflow_interceptor_class(
        self,
        input: temporalio.worker.WorkflowInterceptorClassInput,  # noqa: A002, ARG002  # the base's
    ) -> type[WorkflowGuard]:
        """Stand before what workflows send."""
        return WorkflowGuard


def guarded(
    interceptors: Collection[temporalio.client.Interceptor], names: Collection[str] | None
) -> list[temporalio.client.Interceptor]:
    """A client's interceptors with both guards at their ends."""
    return [GuardedCommands(), *interceptors, GuardedCalls(names)]
