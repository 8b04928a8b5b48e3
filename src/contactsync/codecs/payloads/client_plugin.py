"""One plugin for clients, workers and replayers, so that none of them can be made with half of the sealing."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import cache
from typing import Final
from uuid import uuid4

import temporalio.client
import temporalio.worker
from temporalio.client import ClientConfig, WorkflowHistory
from temporalio.common import HeaderCodecBehavior
from temporalio.converter import DataConverter, ExternalStorage
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import ConnectConfig, ServiceClient
from temporalio.worker import Replayer, ReplayerConfig, Worker, WorkerConfig, WorkflowReplayResult, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads import forms
from contactsync.codecs.payloads.codec import SealingCodec
from contactsync.codecs.payloads.converter import MessageConverter
from contactsync.codecs.payloads.failures import SealedFailureConverter
from contactsync.codecs.payloads.guard import guarded

CORE_LOGGER: Final = "temporalio.core"
PASSED_THROUGH: Final = (
    "pydantic",
    "pydantic_core",
    "contactsync.activities.messages",
    "contactsync.codecs.payloads",
    "contactsync.errors",
    "contactsync.identifiers",
)
"""Modules that the workflow sandbox takes from outside: loading cryptography in it a second time ends the worker."""


def sealing_converter(ring: KeyRing, storage: ExternalStorage | None = None) -> DataConverter:
    """Messages converted, errors cut to the closed list, everything sealed; large payloads then go to `storage`."""
    return DataConverter(
        payload_converter_class=MessageConverter,
        payload_codec=SealingCodec(ring),
        failure_converter_class=SealedFailureConverter,
        external_storage=storage,
    )


class SealingPlugin(temporalio.client.Plugin, temporalio.worker.Plugin):
    """Sets data converter, header codec, sandbox, a runtime and identity that tell nothing of the host, and the guard
    of what travels in clear. `names`: the workflows, signals, queries and updates there are; None: any name that code
    could have. `storage`: where large payloads go once they are sealed (`staging`).

    Give it to a client; the client's workers have it from there. A `Replayer` needs it in `plugins`, and in `namespace`
    the namespace in which the histories were written, since payloads are bound to it.
    """

    def __init__(
        self, ring: KeyRing, names: Collection[str] | None = None, storage: ExternalStorage | None = None
    ) -> None:
        self._converter: Final = sealing_converter(ring, storage)
        self._names: Final = names

    def name(self) -> str:
        """The plugin's name, which Temporal shows."""
        return "contactsync.sealing"

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """Nothing leaves this client unsealed: arguments, results, memos, failures and headers; and what cannot be
        sealed has a closed form."""
        config["data_converter"] = self._converter
        config["header_codec_behavior"] = HeaderCodecBehavior.CODEC
        config["interceptors"] = guarded(config["interceptors"], self._names)
        return config

    async def connect_service_client(
        self,
        config: ConnectConfig,
        next: Callable[[ConnectConfig], Awaitable[ServiceClient]],  # noqa: A002  # the base's
    ) -> ServiceClient:
        """Connect without host name and process id."""
        return await next(replace(config, identity=_identity(), runtime=quiet_runtime()))

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Let the sandbox take messages and converters from outside; no name but a task queue's is set by hand.

        Raises:
            SealRefused: it has an identity, build id or deployment of its own, or a task queue that could be anything.
        """
        forms.check_task_queue(config.get("task_queue"))
        for name in ("identity", "build_id", "deployment_config"):
            forms.check_absent(config.get(name))
        runner = config["workflow_runner"] if "workflow_runner" in config else None  # noqa: SIM401  # get() is untyped
        config["workflow_runner"] = _passing_through(runner)
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:  # noqa: A002
        """Run it as it is."""
        await next(worker)

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """The same converter, headers and sandbox as a worker's."""
        config["data_converter"] = self._converter
        config["header_codec_behavior"] = HeaderCodecBehavior.CODEC
        config["workflow_runner"] = _passing_through(config.get("workflow_runner"))
        config["runtime"] = config.get("runtime") or quiet_runtime()
        return config

    def run_replayer(
        self,
        replayer: Replayer,
        histories: AsyncIterator[WorkflowHistory],
        next: Callable[  # noqa: A002
            [Replayer, AsyncIterator[WorkflowHistory]],
            AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]],
        ],
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]:
        """Run it as it is."""
        return next(replayer, histories)


@cache
def quiet_runtime() -> Runtime:
    """The process's one runtime: no heartbeats with host details, Core's log through Python's `temporalio.core`."""
    forwarding = LogForwardingConfig(logging.getLogger(CORE_LOGGER), append_target_to_name=False)
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(
        telemetry=TelemetryConfig(logging=LoggingConfig(levels, forwarding=forwarding)),
        worker_heartbeat_interval=None,
        disable_environment_info=True,
    )


@cache
def _identity() -> str:
    """Tells processes apart in Temporal Web, and nothing else."""
    return f"contactsync-{uuid4().hex[:12]}"


def _passing_through(runner: WorkflowRunner | None) -> WorkflowRunner:
    if runner is None:
        runner = SandboxedWorkflowRunner()
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner
    return replace(runner, restrictions=runner.restrictions.with_passthrough_modules(*PASSED_THROUGH))
