"""Where strings are planted: a Temporal of its own, a client and a worker, sealing or bare."""

import asyncio
import io
import logging
import sys
import threading
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, redirect_stderr
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn
from uuid import UUID, uuid4

import httpx
import structlog
from temporalio.api.enums.v1 import EventType, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.integration.leaks.carrier import ACTIVITIES, Load, Quiet
from tests.integration.leaks.deeds import Carrier
from tests.integration.leaks.headers import Headers
from tests.integration.leaks.scanning import TENANT, numbers_in, numbers_in_folder, planted

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.codecs.payloads.converter import MessageConverter
from contactsync.errors import SealRefused
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.logs import configure_logging
from contactsync.workers.registered import names_of

NAMES: Final = names_of(Carrier, Quiet)
PATIENCE: Final = 30.0
_ENDED: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)

Handle = WorkflowHandle[Any, Any]


@dataclass
class Ground:
    """`client` seals unless `ring` is None; `bare` never does. `token` marks the strings of this run."""

    server: TemporalServer
    ring: KeyRing | None
    client: Client
    bare: Client
    queue: str
    token: str
    headers: Headers
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    log: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self.log_before = self.server.log.stat().st_size

    def text(self, number: int) -> str:
        """The string of a channel."""
        return planted(number, self.token)

    def new_id(self) -> str:
        """A workflow id of the tenant."""
        return f"sync/{TENANT}/{uuid4()}"

    async def connect(self, broken: str = "", **options: Any) -> Client:
        """Another client like `client`; `broken`: what its key ring fails with."""
        ring = self.ring
        if broken and ring is not None:
            ring = copy(ring)
            setattr(ring, "payload_key", _failing_with(broken))  # noqa: B010  # in place of a method
        return await connect(self.server, ring, **options)

    async def start(self, workflow: str = "Quiet", load: Load | None = None, **options: Any) -> Handle:
        """Start a workflow with these options."""
        given: dict[str, Any] = {"id": self.new_id(), "task_queue": self.queue, **options}
        return await self.client.start_workflow(workflow, load or Load(), **given)

    async def carry(self, deed: str, number: int) -> None:
        """Have a workflow carry a channel's string, until it has ended or its task has failed.

        Raises:
            SealRefused: its task failed with that.
        """
        handle = await self.start("Carrier", Load(deed=deed, number=number, token=self.token))
        try:
            if await self.standstill(handle.id) == "SealRefused":
                raise SealRefused
        finally:
            await self.end(handle.id)

    async def end(self, workflow_id: str) -> None:
        """Terminate it if it runs."""
        try:
            await self.bare.get_workflow_handle(workflow_id).terminate()
        except RPCError:
            return

    async def standstill(self, workflow_id: str) -> str:
        """Wait until the run has ended or its task has failed; the type of error with which it has."""
        handle = self.bare.get_workflow_handle(workflow_id)
        async with asyncio.timeout(PATIENCE):
            while True:
                events = [event async for event in handle.fetch_history_events()]
                if events[-1].event_type in _ENDED:
                    return ""
                for event in events:
                    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                        failure = event.workflow_task_failed_event_attributes.failure
                        return failure.application_failure_info.type
                await asyncio.sleep(0.03)

    async def until_polled(self, queue: str) -> None:
        """Wait until a worker asks for work of this queue."""
        request = DescribeTaskQueueRequest(
            namespace=self.bare.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        async with asyncio.timeout(PATIENCE):
            while not (await self.bare.workflow_service.describe_task_queue(request)).pollers:  # noqa: ASYNC110
                await asyncio.sleep(0.03)

    async def found(self) -> set[int]:
        """The numbers of the strings that reached the server: its files, its answers, its log and its metrics."""
        files = numbers_in_folder(self.server.folder, self.token, {self.server.log: self.log_before})
        return files | numbers_in(await self._answers(), self.token)

    def logged(self) -> set[int]:
        """The numbers of the strings in this process's log."""
        return numbers_in(self.log.getvalue().encode(), self.token)

    async def _answers(self) -> bytes:
        parts: list[bytes] = []
        async for run in self.bare.list_workflows(f"StartTime >= '{self.began.isoformat()}'"):
            handle = self.bare.get_workflow_handle(run.id, run_id=run.run_id)
            parts += [event.SerializeToString() async for event in handle.fetch_history_events()]
            parts.append((await handle.describe()).raw_description.SerializeToString())
        return b"".join(parts) + await self._metrics()

    async def _metrics(self) -> bytes:
        log = self.server.log.read_text()
        url = next(line.split()[-1] for line in log.splitlines() if "Temporal Metrics" in line)
        async with httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(url)).content


def _failing_with(text: str) -> Callable[[UUID], Awaitable[NoReturn]]:
    async def fail(_tenant: UUID) -> NoReturn:
        raise RuntimeError(text)

    return fail


async def connect(server: TemporalServer, ring: KeyRing | None, **options: Any) -> Client:
    """A client that seals with `ring`, or a bare one."""
    how: dict[str, Any] = {"data_converter": DataConverter(payload_converter_class=MessageConverter)}
    if ring is not None:
        how = {"plugins": [SealingPlugin(ring, NAMES)]}
    return await Client.connect(server.address, namespace=server.namespace, **how, **options)


@asynccontextmanager
async def ground(server: TemporalServer, ring: KeyRing | None) -> AsyncGenerator[Ground]:
    """A ground with a running worker; this process's log is as at a worker's, at DEBUG."""
    headers = Headers()
    client = await connect(server, ring, interceptors=[headers])
    bare = await connect(server, None)
    made = Ground(server, ring, client, bare, f"queue-{uuid4()}", uuid4().hex[:6], headers)
    with logging_to(made.log):
        async with Worker(
            client,
            task_queue=made.queue,
            workflows=[Carrier, Quiet],
            activities=ACTIVITIES,
            workflow_runner=UnsandboxedWorkflowRunner(),  # a sandbox for each of so many takes most of the time
            graceful_shutdown_timeout=timedelta(seconds=1),
        ):
            yield made


@contextmanager
def logging_to(log: io.StringIO) -> Generator[None]:
    """Everything this process says, as our processes write it."""
    root, own = logging.getLogger(), structlog.get_config()
    handlers, level, hooks = list(root.handlers), root.level, (sys.excepthook, sys.unraisablehook)
    warn, threads = warnings.showwarning, threading.excepthook
    try:
        with redirect_stderr(log):
            configure_logging("json", "DEBUG")
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**own)
        sys.excepthook, sys.unraisablehook = hooks
        warnings.showwarning, threading.excepthook = warn, threads
