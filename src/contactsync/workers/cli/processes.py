"""The long processes, and what prepares for them: `worker`, `codec-server`, `migrate`, `up`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from contactsync.errors import TemporalError
from contactsync.workers.cli.options import JsonFlag
from contactsync.workers.cli.output import Json, Report, card, note
from contactsync.workers.cli.running import run, run_process, show

if TYPE_CHECKING:
    from contactsync.workers.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("up")(up)
    app.command("worker")(worker)
    app.command("codec-server")(codec_server)
    app.command("migrate")(migrate)


def worker(
    processes: Annotated[
        int, typer.Option("--processes", min=0, max=256, metavar="N", help="Processes to run; 0: one for each core.")
    ] = 1,
) -> None:
    """Run workflows and activities until SIGINT or SIGTERM; then finish what runs."""
    from contactsync.workers.settings import load_settings

    settings = load_settings()
    if processes != 1:
        _supervise(settings, processes)
    from contactsync.workers.worker import run_worker

    run_process(settings, lambda: run_worker(settings))


def _supervise(settings: "Settings", processes: int) -> NoReturn:
    """Keep worker processes running; what a worker imports is imported by them alone."""
    from contactsync.workers.supervisor import Supervisor, cores, worker_command

    supervisor = Supervisor(worker_command(settings.shutdown_seconds))
    raise typer.Exit(run_process(settings, lambda: supervisor.run(processes or cores())))


def codec_server() -> None:
    """Open payloads, masked, for Temporal Web and the `temporal` command."""
    from contactsync.workers.codec_server import run_codec_server
    from contactsync.workers.settings import load_settings

    settings = load_settings()
    run_process(settings, lambda: run_codec_server(settings, lambda url: note(f"contactsync: codec server at {url}")))


def migrate(
    database_only: Annotated[bool, typer.Option("--database-only", help="Leave Temporal alone.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring the database's schema, and Temporal's search attributes, to what this version needs."""
    show(_migrate(database_only=database_only), as_json=as_json)


def up(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where everything is kept, from run to run.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run Temporal, PostgreSQL, a worker and the codec server on this machine until Ctrl-C."""
    from contactsync.workers.cli.stack import default_folder, run_stack

    run(run_stack(data or default_folder(), as_json=as_json))


async def _migrate(*, database_only: bool) -> Report:
    from contactsync.activities.store.migrate import migrate as run_migrations
    from contactsync.workers.setting_secrets import with_password
    from contactsync.workers.settings import load_settings

    settings = await with_password(load_settings())
    applied = await run_migrations(settings.migrate_database())
    added = None if database_only else await _add_attributes(settings)
    document: dict[str, Json] = {"migrations": applied, "search_attributes": added}
    facts = {
        "migrations": "\n".join(applied) or "none were missing",
        "search attributes": None if added is None else ", ".join(added) or "none were missing",
    }
    return Report(document, card("migrated", facts))


async def _add_attributes(settings: "Settings") -> list[str] | None:
    """Names of the search attributes that were made; None, with a note, where Temporal does not let us."""
    from contactsync.workers.bootstrap import administering_client
    from contactsync.workers.search_attributes import add_missing_attributes

    try:
        return await add_missing_attributes(await administering_client(settings))
    except TemporalError as error:
        note(f"contactsync: the database is ready, Temporal's search attributes are not: {error}")
        return None
