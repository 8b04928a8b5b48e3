"""The guard of what travels in clear, for a client and for the workflows of its workers."""

from collections.abc import Collection
from typing import Final

import temporalio.client
import temporalio.worker

from contactsync.codecs.payloads.client_guard import ClientGuard
from contactsync.codecs.payloads.workflow_guard import WorkflowGuard


class ClearTextGuard(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """Refuses what is not of a closed form; see `forms`. Workers take it over from their client."""

    def __init__(self, names: Collection[str] | None) -> None:
        self._names: Final = names

    def intercept_client(self, next: temporalio.client.OutboundInterceptor) -> ClientGuard:  # noqa: A002  # the base's
        """Stand before a client's calls."""
        return ClientGuard(next, self._names)

    def workflow_interceptor_class(
        self,
        input: temporalio.worker.WorkflowInterceptorClassInput,  # noqa: A002, ARG002  # the base's
    ) -> type[WorkflowGuard]:
        """Stand before what workflows send."""
        return WorkflowGuard
