"""Runs the demo: the embedded stack and a CardDAV server in a temporary folder, and the story on top of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from contactsync.workers.bootstrap import opened, temporal_client
from contactsync.workers.demo.report import DemoReport
from contactsync.workers.demo.screen import Screen
from contactsync.workers.demo.story import TENANTS, Story
from contactsync.workers.embedded.carddav import CardDavServer
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.settings import PREFIX, Settings


@dataclass(frozen=True, slots=True)
class Told:
    """A demo that has been told, and whose servers still run."""

    report: DemoReport
    stack: Stack
    carddav: CardDavServer


def settings_of(stack: Stack) -> Settings:
    """The settings of a stack's workers, for this process."""
    return Settings.model_validate(
        {name.removeprefix(PREFIX).lower(): value for name, value in stack.environment().items()}
    )


@asynccontextmanager
async def told_demo(screen: Screen) -> AsyncGenerator[Told]:
    """Tell the story; the servers run until the block ends, and their folder goes with them.

    Raises:
        SettingsError: the extra `embedded` is missing.
        DatabaseUnavailable, TemporalUnavailable: a server did not start.
    """
    async with AsyncExitStack() as running:
        folder = running.enter_context(temporary_folder(service_user()))
        screen.step("starting PostgreSQL, Temporal and a CardDAV server")
        async with asyncio.TaskGroup() as starting:
            servers = starting.create_task(_stack(running, folder / "stack"))
            books = starting.create_task(_carddav(running))
        stack, carddav = servers.result(), books.result()
        screen.step("starting a worker and the codec server")
        worker = await stack.start_worker()  # it goes on starting beside what follows
        running.push_async_callback(worker.stop)
        codec_server = await stack.start_codec_server()
        running.push_async_callback(codec_server.stop)
        settings = settings_of(stack)
        parts = await running.enter_async_context(opened(settings))
        client = await temporal_client(settings, parts.ring, stage=parts.stage)
        story = Story(stack, carddav, parts, client, screen, worker)
        running.push_async_callback(story.stop_worker)
        yield Told(await story.tell(), stack, carddav)


async def _stack(running: AsyncExitStack, folder: Path) -> Stack:
    stack = await Stack.start(folder)
    running.push_async_callback(stack.stop)
    return stack


async def _carddav(running: AsyncExitStack) -> CardDavServer:
    memory = running.enter_context(temporary_folder(in_memory=True))  # Radicale writes many small files
    carddav = await CardDavServer.start(memory / "carddav", [user for _, _, user in TENANTS])
    running.push_async_callback(carddav.stop)
    return carddav
