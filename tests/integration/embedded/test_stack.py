"""The whole stack: as root and as an ordinary user, its end and its new start."""

import asyncio
import json
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, StartWorkflowExecutionRequest
from temporalio.service import ConnectConfig, ServiceClient

from contactsync.errors import RootKeyUnavailable, SettingsError, TemporalUnavailable
from contactsync.workers.embedded.folders import FolderLock, service_user, temporary_folder
from contactsync.workers.embedded.ports import is_free
from contactsync.workers.embedded.processes import RunAs
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.embedded.temporal import NAMESPACE, TemporalOptions, TemporalServer

from .running import Python, descendants, gone, process_at, python_for

PROGRAM = Path(__file__).with_name("stack_program.py")
USERS = ("root", "ordinary") if os.geteuid() == 0 else ("ordinary",)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the program says of its stack."""

    superuser: str
    temporal: str
    servers: list[int]
    ports: list[int]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, and the user whose stack it holds; None for the one who runs the tests."""

    folder: Path
    user: RunAs | None
    python: Python


@pytest.fixture(params=USERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A folder for a stack, of each kind of user that this process can be."""
    user = service_user() if request.param == "ordinary" else None
    with temporary_folder(service_user()) as folder:
        (folder / "home").mkdir(mode=0o700 if user else 0o711)
        if user:
            os.chown(folder / "home", user.uid, user.gid)
        yield Place(folder, user, python_for(user, folder / "python"))


@asynccontextmanager
async def _program(place: Place) -> AsyncGenerator[tuple[Process, Facts]]:
    source = place.folder / "program.py"
    source.write_text(PROGRAM.read_text())
    source.chmod(0o644)
    process = await asyncio.create_subprocess_exec(
        *(str(place.python.program), str(source), str(place.folder / "home")),
        stdin=PIPE,
        stdout=PIPE,
        cwd="/",
        env={**place.python.environment, "HOME": str(place.folder / "home"), "TMPDIR": str(place.folder / "home")},
        umask=0o022,
        user=place.user.uid if place.user else None,
        group=place.user.gid if place.user else None,
        extra_groups=[] if place.user else None,
    )
    try:
        assert process.stdout is not None
        yield process, Facts(**json.loads(await process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _modes(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mode & 0o7777 for path in (folder, *folder.parents)}


async def test_everything_ends_with_its_parent_and_starts_again(place: Place) -> None:
    """A parent that is killed takes all its servers with it; a new one, started at once, finds all their data."""
    modes = _modes(place.folder)
    async with _program(place) as (process, first):
        await _write(first)
        started = descendants(process.pid)
        assert {process_at(pid) for pid in first.servers} <= set(started)
    async with _program(place) as (_, second):
        assert await _read(second) == (1, 1)
        await gone(started)
    assert _modes(place.folder) == modes


async def test_a_stop_leaves_nothing_behind(place: Place) -> None:
    """After a polite stop no process is left, every port is free, and only owners may read the files."""
    async with _program(place) as (process, facts):
        started = descendants(process.pid)
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0
        assert [living for living in started if living.lives] == []
        assert [port for port in facts.ports if not is_free(port)] == []
    open_to_others = [
        path for path in (place.folder / "home").rglob("*") if path.is_file() and _readable_by_others(path)
    ]
    assert open_to_others == []


def _readable_by_others(path: Path) -> bool:
    """PostgreSQL's programs are no secret; the copy of them keeps their modes."""
    return bool(path.stat().st_mode & 0o077) and "installed" not in path.parts


async def test_postgres_never_runs_as_root(stack: Stack) -> None:
    """For root PostgreSQL runs as a user of its own, for everybody else as that user."""
    owner = Path(f"/proc/{stack.postgres.child.pid}").stat().st_uid
    user = service_user()
    assert owner == (user.uid if user else os.geteuid())


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    """A running stack in this process."""
    async with Stack.running() as running:
        yield running


async def test_no_password_can_be_seen(stack: Stack) -> None:
    """Passwords stand in no command line, no environment and no log."""
    urls = (stack.urls.owner, stack.urls.app, stack.urls.codec, stack.postgres.url())
    secrets = [url.partition("@")[0].rpartition(":")[2].encode() for url in urls]
    living = [process_at(child.pid) for child in (stack.postgres.child, stack.temporal.child)]
    seen = [text for process in living if process for text in (process.argv(), process.environment())]
    seen += [server.argv() for server in descendants(os.getpid())]
    seen += [log.read_bytes() for log in stack.folder.rglob("*.log")]
    assert len(secrets[0]) > 20
    assert [secret for secret in secrets for text in seen if secret in text] == []
    assert secrets[0].decode() not in repr(stack)


async def test_settings_for_another_terminal(stack: Stack) -> None:
    """The environment names a database that the worker's user can enter with the password of the file."""
    settings = stack.environment()
    password = Path(settings["CONTACTSYNC_DATABASE_PASSWORD_FILE"]).read_text()
    connection = await asyncpg.connect(settings["CONTACTSYNC_DATABASE_URL"], password=password)
    assert await connection.fetchval("SELECT current_user") == "contactsync_worker"
    await connection.close()


async def test_two_stacks_side_by_side(stack: Stack) -> None:
    """Two stacks share neither port nor data."""
    async with Stack.running() as other:
        ports = {server.port for server in (stack.postgres, stack.temporal, other.postgres, other.temporal)}
        assert len(ports | {stack.temporal.ui_port, other.temporal.ui_port}) == 6
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(stack.urls.app, port=other.postgres.port)


async def test_a_folder_in_use_is_refused(stack: Stack) -> None:
    """A second stack on the same folder is told so, and the first goes on."""
    with pytest.raises(SettingsError, match="another contactsync uses"):
        await Stack.start(stack.folder)
    assert not stack.postgres.child.ended


async def test_a_lost_root_key_is_not_replaced() -> None:
    """Where there are data, a new root key would open none of them: it is asked for instead."""
    with temporary_folder(service_user()) as folder:
        (folder / "postgres" / "data").mkdir(parents=True)
        with pytest.raises(RootKeyUnavailable, match=r"root\.key is missing"):
            await Stack.start(folder)
        assert not (folder / "root.key").exists()


async def _write(facts: Facts) -> None:
    connection = await asyncpg.connect(facts.superuser)
    await connection.execute("CREATE TABLE kept (number int)")
    await connection.execute("INSERT INTO kept VALUES (1)")
    await connection.close()
    client = await ServiceClient.connect(ConnectConfig(target_host=facts.temporal))
    await client.workflow_service.start_workflow_execution(
        StartWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_id="kept",
            workflow_type=WorkflowType(name="Nothing"),
            task_queue=TaskQueue(name="nobody"),
            request_id=str(uuid4()),
        )
    )


async def _read(facts: Facts) -> tuple[int, int]:
    """The row, and the state of the workflow (1: it runs)."""
    connection = await asyncpg.connect(facts.superuser)
    number = await connection.fetchval("SELECT number FROM kept")
    await connection.close()
    client = await ServiceClient.connect(ConnectConfig(target_host=facts.temporal))
    answer = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=NAMESPACE, execution=WorkflowExecution(workflow_id="kept"))
    )
    return number, answer.workflow_execution_info.status


async def test_what_cannot_start_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """When one server cannot start, the other is stopped, and the folder is free again."""

    async def fail(_folder: Path, _options: TemporalOptions) -> TemporalServer:
        raise TemporalUnavailable

    before = descendants(os.getpid())
    with temporary_folder(service_user()) as folder:
        with monkeypatch.context() as patch:
            patch.setattr(TemporalServer, "start", fail)
            with pytest.raises(TemporalUnavailable):
                await Stack.start(folder)
        (await FolderLock.take(folder, 1)).release()
    assert set(descendants(os.getpid())) <= set(before)


async def test_a_cancelled_start_leaves_nothing_running() -> None:
    """Ctrl-C while the servers start stops those that did."""
    before = descendants(os.getpid())
    with temporary_folder(service_user()) as folder:
        starting = asyncio.ensure_future(Stack.start(folder))
        async with asyncio.timeout(60):
            while not (folder / "postgres" / "initdb.log").exists():  # noqa: ASYNC110  # another process makes it
                await asyncio.sleep(0.01)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    await gone(set(descendants(os.getpid())) - set(before))
