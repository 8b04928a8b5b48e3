"""`contactsync source simulate`: a made-up provider on this machine, for whoever tries out or writes a source."""

import asyncio
import json
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.errors import SettingsError
from contactsync.workers.cli.options import JsonFlag
from contactsync.workers.cli.output import dump_line, note
from contactsync.workers.cli.running import run

if TYPE_CHECKING:
    from contactsync.activities.sources.simulator.faults import Faults
    from contactsync.activities.sources.simulator.provider import Provider

_MOST_CONTACTS = 10_000_000


class Paging(StrEnum):
    """How pages go on."""

    CURSOR = "cursor"
    PAGE = "page"
    OFFSET = "offset"
    LINK = "link"
    NEXT_URL = "next_url"


def add_to(group: typer.Typer) -> None:
    """Add the command of this module."""
    group.command("simulate")(simulate)


def simulate(  # noqa: PLR0917  # typer passes them by name
    contacts: Annotated[
        int, typer.Option(help="Contacts it has from the beginning.", min=0, max=_MOST_CONTACTS)
    ] = 1000,
    seed: Annotated[int, typer.Option(help="What seems random is the same for the same seed.")] = 1,
    changes: Annotated[float, typer.Option(help="Changes that its users make a second.", min=0.0)] = 0.0,
    paging: Annotated[Paging, typer.Option(help="How pages go on.")] = Paging.CURSOR,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A fault (docs/simulator.md); repeat it.")
    ] = None,
    port: Annotated[int, typer.Option(help="Where it listens on this machine; a free port if not given.")] = 0,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write the settings that read it to this file.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a provider of made-up contacts until Ctrl-C, and print the settings of a `rest` source that reads it."""
    from contactsync.activities.sources.simulator.provider import Provider

    provider = Provider(contacts, seed=seed, faults=parse_faults(fault or []))
    run(_simulate(provider, paging.value, changes, port, write, seed=seed, as_json=as_json))


def parse_faults(pairs: list[str]) -> "Faults":
    """`name=value` options as faults; a value is JSON, or text where it is none.

    Raises:
        typer.BadParameter: one has no `=`, is no fault, or cannot have that value.
    """
    from pydantic import TypeAdapter, ValidationError

    from contactsync.activities.sources.simulator.faults import Faults

    given: dict[str, object] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or name not in Faults.__dataclass_fields__:
            raise typer.BadParameter(
                "give each fault as name=value; docs/simulator.md lists them", param_hint="--fault"
            )
        given[name] = text
        with suppress(ValueError):
            given[name] = json.loads(text)
    try:
        return TypeAdapter(Faults).validate_python(given)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors(include_input=False)}))
        raise typer.BadParameter(
            f"not possible for {wrong}; docs/simulator.md says what is", param_hint="--fault"
        ) from None


async def _simulate(
    provider: "Provider", paging: str, changes: float, port: int, write: Path | None, *, seed: int, as_json: bool
) -> None:
    from contactsync.activities.sources.simulator.face import serving
    from contactsync.activities.sources.simulator.settings_file import rest_toml
    from contactsync.activities.sources.simulator.users import Users
    from contactsync.workers.stopping import stop_requested

    async with serving(provider, port=port) as url:
        _show(url, rest_toml(url, paging), write, as_json=as_json)
        users = asyncio.create_task(Users(provider, seed).work(changes)) if changes else None
        await stop_requested()
        if users is not None:
            users.cancel()
        note("contactsync: stopping")


def _show(url: str, settings: str, write: Path | None, *, as_json: bool) -> None:
    if write is not None:
        _write(write, settings)
    if as_json:
        dump_line({"url": url, "settings": settings})
        return
    if write is None:
        typer.echo(settings)
    note(f"contactsync: simulator at {url}; Ctrl-C stops it")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError:
        raise SettingsError("the file for the settings cannot be written; check its folder") from None
