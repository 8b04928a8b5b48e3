"""The embedded stack: PostgreSQL and Temporal on one folder, and contactsync's own processes as their children."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from contactsync.activities.sources.addresses import ANY_LOOPBACK
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.server.app import HEALTH_PATH
from contactsync.errors import ProcessEnded, RootKeyUnavailable
from contactsync.workers.embedded.answering import answers
from contactsync.workers.embedded.folders import FolderLock, make_folder, service_user, temporary_folder, write_private
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.processes import Child, ChildEnded, ChildNotReady, Command
from contactsync.workers.embedded.provision import DatabaseUrls, provision
from contactsync.workers.embedded.temporal import TemporalOptions, TemporalServer
from contactsync.workers.settings import PREFIX

ROOT_KEY = "root.key"
READY_SECONDS = 60.0
_LOCK_SECONDS = 2.0
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Stack:
    """Running servers, a migrated database and a root key; contactsync's processes are started on top of them."""

    folder: Path
    lock: FolderLock
    postgres: PostgresServer
    temporal: TemporalServer
    urls: DatabaseUrls
    codec_port: int

    @classmethod
    async def start(cls, folder: Path, dynamic_config: Mapping[str, str] | None = None) -> "Stack":
        """Start the servers on the folder, made if missing, reused if not, also after a crash.

        `dynamic_config` adds to Temporal's dynamic configuration.

        Raises:
            SettingsError: the folder is in use, or cannot be used; the message says what to do.
            RootKeyUnavailable: the folder has data and no root key.
        DatabaseUnavailable, TemporalUnavailable: a server did not start; the message names its log.
        """
        folder = _made(folder)
        lock = await FolderLock.take(folder, _LOCK_SECONDS)
        try:
            return await _started(folder, lock, dynamic_config or {})
        except BaseException:
            lock.release()
            raise

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path | None = None) -> "AsyncGenerator[Stack]":
        """A stack on the folder, or on a temporary one that is gone afterwards, until the block ends.

        Raises:
            As `start`.
        """
        with nullcontext(folder) if folder else temporary_folder(service_user()) as place:
            stack = await cls.start(place)
            try:
                yield stack
            finally:
                await stack.stop()

    async def stop(self) -> None:
        """Stop the servers."""
        await asyncio.gather(self.temporal.stop(), self.postgres.stop())
        self.lock.release()

    @property
    def root_key_file(self) -> Path:
        """The root key."""
        return self.folder / ROOT_KEY

    @property
    def codec_url(self) -> str:
        """The codec server, once it runs."""
        return f"http://{LOOPBACK}:{self.codec_port}"

    def environment(self) -> dict[str, str]:
        """The settings of workers and of the command, without any secret in them."""
        networks = ",".join(ANY_LOOPBACK.allowed)  # here sources are on this machine, too
        return {**self._environment("worker", self.urls.app), f"{PREFIX}SOURCE_NETWORKS": networks}

    def operator_environment(self) -> dict[str, str]:
        """The same with the owner's URL, password and all, for `contactsync migrate`: keep it in a private file."""
        return {**self.environment(), f"{PREFIX}MIGRATE_DATABASE_URL": self.urls.owner}

    async def start_worker(self, name: str = "worker", processes: int = 1) -> Child:
        """A worker, of so many processes; its log is `{name}.log`."""
        arguments = ("worker", "--processes", str(processes))
        return await Child.start(self._command(name, arguments, self.environment()))

    async def start_codec_server(self) -> Child:
        """The codec server's process, once it answers.

        Raises:
            ProcessEnded: it did not start; the message names its log.
        """
        environment = {
            **self._environment("codec-server", self.urls.codec),
            f"{PREFIX}CODEC_PORT": str(self.codec_port),
            f"{PREFIX}CODEC_ORIGINS": ",".join(self.temporal.ui_origins),
        }
        child = await Child.start(self._command("codec-server", ("codec-server",), environment))
        try:
            await child.until(lambda: answers(f"{self.codec_url}{HEALTH_PATH}"), READY_SECONDS)
        except (ChildEnded, ChildNotReady):
            await child.stop()
            raise ProcessEnded(f"the codec server did not start; its log is {child.log}") from None
        except BaseException:
            await child.stop()
            raise
        return child

    def _environment(self, user: str, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        password_file = self.folder / f"{user}.password"
        write_private(password_file, parts.password or "")
        without = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}"))
        settings = {
            "DATABASE_URL": without,
            "DATABASE_PASSWORD_FILE": str(password_file),
            "ROOT_KEY_FILE": str(self.root_key_file),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": self.temporal.namespace,
        }
        return {f"{PREFIX}{name}": value for name, value in settings.items()}

    def _command(self, name: str, arguments: Sequence[str], settings: Mapping[str, str]) -> Command:
        """One of our own processes: it gets the caller's environment, where connections' secrets may be."""
        return Command(
            argv=(sys.executable, "-m", "contactsync", *arguments),
            log=self.folder / f"{name}.log",
            cwd=self.folder,
            env={**_without_settings(os.environ), f"{PREFIX}LOG_FORMAT": "json", **settings},
            grace_seconds=_STOP_SECONDS,
        )


def _made(folder: Path) -> Path:
    return make_folder(folder.absolute(), service_user())


async def _started(folder: Path, lock: FolderLock, dynamic_config: Mapping[str, str]) -> Stack:
    _provide_root_key(folder)
    codec_port = free_port()
    options = TemporalOptions(codec_endpoint=f"http://{LOOPBACK}:{codec_port}", dynamic_config=dynamic_config)
    starting = (
        asyncio.ensure_future(_provisioned(folder / "postgres")),
        asyncio.ensure_future(TemporalServer.start(folder / "temporal", options)),
    )
    try:
        (postgres, urls), temporal = await asyncio.gather(*starting)
    except BaseException:
        await _undo(*starting)
        raise
    return Stack(folder, lock, postgres, temporal, urls, codec_port)


async def _undo(
    database: "asyncio.Future[tuple[PostgresServer, DatabaseUrls]]", temporal: "asyncio.Future[TemporalServer]"
) -> None:
    """Stop what has started, when not everything could."""
    for task in (database, temporal):
        task.cancel()
    await asyncio.wait((database, temporal))
    if _succeeded(database):
        await database.result()[0].stop()
    if _succeeded(temporal):
        await temporal.result().stop()


def _succeeded(task: "asyncio.Future[tuple[PostgresServer, DatabaseUrls]] | asyncio.Future[TemporalServer]") -> bool:
    return not task.cancelled() and task.exception() is None


async def _provisioned(folder: Path) -> tuple[PostgresServer, DatabaseUrls]:
    postgres = await PostgresServer.start(folder)
    try:
        return postgres, await provision(postgres)
    except BaseException:
        await postgres.stop()
        raise


def _provide_root_key(folder: Path) -> None:
    """Make the root key before there are data; where there are, a new one would open none of them."""
    file = folder / ROOT_KEY
    if file.exists():
        return
    if (folder / "postgres" / "data").exists():
        raise RootKeyUnavailable(f"{file} is missing; put it back, for no other key opens the data of this folder")
    FileRootKey.create(file)


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings of the caller are for another installation."""
    return {name: value for name, value in environment.items() if not name.startswith(PREFIX)}


async def first_to_end(children: Mapping[str, Child]) -> str:
    """The name of the first of these processes to end."""
    waiting = {asyncio.ensure_future(child.wait()): name for name, child in children.items()}
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return waiting[next(iter(done))]
    finally:
        for task in waiting:
            task.cancel()
