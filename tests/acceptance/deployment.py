"""contactsync as it is deployed: the installed command, and a worker process, on a database and a Temporal."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid4

from contactsync.activities.contacts.contact import Contact
from contactsync.activities.messages import ConnectionRef
from contactsync.activities.sources.addresses import ANY_LOOPBACK
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.workers.bootstrap import administering_client, opened
from contactsync.workers.embedded.processes import Child, Command
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.settings import PREFIX, Settings
from contactsync.workers.syncs import Syncs

if TYPE_CHECKING:
    from .conftest import Installed

WORKER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """The JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """The error document, which is the last line on stderr."""
        return json.loads(self.err.splitlines()[-1])["error"]

    def at(self, *path: str) -> object:
        """A value in the document."""
        value: dict[str, object] = self.document
        for name in path[:-1]:
            value = cast("dict[str, object]", value[name])
        return value[path[-1]]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The settings of one installation, and the command that runs with them."""

    installed: "Installed"
    settings: Mapping[str, str]
    folder: Path

    async def run(self, *arguments: str) -> Outcome:
        """Run `contactsync …` to its end."""
        done = await asyncio.to_thread(self.installed.run, *arguments, settings=self.settings)
        return Outcome(done.returncode, done.stdout, done.stderr)

    async def json(self, *arguments: str) -> Outcome:
        """Run a command that must succeed, with `--json`."""
        outcome = await self.run(*arguments, "--json")
        assert outcome.code == 0, outcome
        return outcome

    async def refused(self, *arguments: str) -> tuple[int, str]:
        """Run a command that must fail with one sentence; its exit code and the error's code.

        With and without `--json` it says the same, and prints nothing else.
        """
        plain, outcome = await self.run(*arguments), await self.run(*arguments, "--json")
        [sentence] = plain.err.splitlines()
        assert (plain.code, plain.out, outcome.out) == (outcome.code, "", ""), (plain, outcome)
        assert sentence == f"contactsync: {outcome.error['message']}", (plain, outcome)
        return outcome.code, outcome.error["code"]

    async def refused_process(self, name: str) -> int:
        """Run a long process that must end at once with one sentence; its exit code."""
        outcome = await self.run(name)
        assert (outcome.out, len(outcome.err.splitlines())) == ("", 1), outcome
        assert outcome.err.startswith("contactsync: ")
        return outcome.code

    async def tenant(self) -> str:
        """A new tenant's id."""
        return str((await self.json("tenant", "add", "Acme", "--region", "DE")).at("tenant", "id"))

    async def connection(self, tenant: str, *options: str) -> str:
        """A new connection's id; it has no pass but those that are asked for."""
        added = await self.json("connection", "add", "--tenant", tenant, "--interval", "1d", *options)
        return str(added.at("connection", "id"))

    async def sync(self, connection: str) -> dict[str, int]:
        """A pass that completes; its counts."""
        return cast("dict[str, int]", (await self.json("sync", "now", connection, "--wait")).at("counts"))

    async def held(self, tenant: str, connection: str) -> dict[str, list[str]]:
        """What the database holds of a connection: e-mail addresses by source id."""
        ref = ConnectionRef(tenant_id=UUID(tenant), connection_id=UUID(connection))
        async with opened(self._settings()) as parts:
            found = [held async for held in parts.contacts.all_of(ref)]
        contacts = {held.source_id: Contact.model_validate_json(held.content) for held in found}
        return {source_id: [email.address for email in each.emails] for source_id, each in contacts.items()}

    def with_settings(self, **changes: str) -> "Deployment":
        """The same with some settings changed."""
        changed = {f"{PREFIX}{name.upper()}": value for name, value in changes.items()}
        return replace(self, settings={**self.settings, **changed})

    async def start(self, *arguments: str) -> Child:
        """Start a long process of the installed command; its log is named for the first argument."""
        command = Command(
            argv=(str(self.installed.command), *arguments),
            log=self.folder / f"{arguments[0]}.log",
            cwd=self.installed.home,
            env=self.installed.environment(self.settings),
        )
        return await Child.start(command)

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[Child]:
        """A worker process that polls."""
        child = await self.start("worker")
        try:
            await child.until(await self._polled(), WORKER_SECONDS)
            yield child
        finally:
            await child.stop()

    async def _polled(self) -> Callable[[], Awaitable[bool]]:
        settings = self._settings()
        return Syncs(await administering_client(settings), settings.task_queue).worker_polls

    def _settings(self) -> Settings:
        return Settings.model_validate({name.removeprefix(PREFIX).lower(): v for name, v in self.settings.items()})


def deployment_of(installed: "Installed", folder: Path, urls: DatabaseUrls, temporal: TemporalServer) -> Deployment:
    """An installation with a root key and a task queue of its own."""
    root_key = folder / "root.key"
    FileRootKey.create(root_key)
    settings = {
        "DATABASE_URL": urls.app,
        "MIGRATE_DATABASE_URL": urls.owner,
        "ROOT_KEY_FILE": str(root_key),
        "TEMPORAL_ADDRESS": temporal.address,
        "TEMPORAL_NAMESPACE": temporal.namespace,
        "TASK_QUEUE": f"acceptance-{uuid4()}",
        "SOURCE_NETWORKS": ",".join(ANY_LOOPBACK.allowed),
    }
    return Deployment(installed, {f"{PREFIX}{name}": value for name, value in settings.items()}, folder)
