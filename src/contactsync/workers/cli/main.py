"""The `contactsync` command: its groups of commands, and how every one of them ends.

Nothing heavy is imported here or at the top of a group's module: `--help` and shell completion answer at once, and a
command imports what it needs when it runs.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, NoReturn, cast

import typer
from typer.main import get_command

from contactsync.codecs.keys.core_dumps import forbid_core_dumps
from contactsync.errors import ContactSyncError
from contactsync.workers.cli import (
    audit,
    backfill,
    connections,
    contacts,
    deletes,
    demo,
    doctor,
    key_care,
    key_rotation,
    keys,
    offboarding,
    processes,
    source,
    status,
    syncing,
    tenants,
    watch,
)
from contactsync.workers.cli.ending import end_process
from contactsync.workers.cli.output import READER_GONE, note, print_error

INTERRUPTED = 130
UNEXPECTED = 70

app = typer.Typer(
    name="contactsync",
    help="Keeps copies of people's contacts fresh, clean and private.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help takes another 0.15 s to answer
)
for group in (
    demo,
    processes,
    doctor,
    tenants,
    offboarding,
    source,
    connections,
    syncing,
    status,
    watch,
    backfill,
    deletes,
    contacts,
    keys,
    key_care,
    key_rotation,
    audit,
):
    group.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"contactsync {version('contactsync')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keeps copies of people's contacts fresh, clean and private."""


def main() -> NoReturn:
    """The entry point: runs a command and ends the process with its exit code (`docs/exit-codes.md`)."""
    forbid_core_dumps()
    end_process(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; whatever it raises becomes one sentence on stderr and an exit code."""
    as_json = "--json" in arguments  # also where the command line could not be read to its end
    try:
        returned: object = get_command(app).main(list(arguments), prog_name="contactsync", standalone_mode=False)
    except typer.TyperException as error:
        return _report_usage(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return READER_GONE
    except Exception as error:  # noqa: BLE001  # the last place where an error can be told in one sentence
        return report(error, as_json=as_json)
    return returned if isinstance(returned, int) else 0


def report(error: BaseException, *, as_json: bool) -> int:
    """Tell an error in one sentence; returns its exit code."""
    error = _first_of(error)
    if isinstance(error, ContactSyncError):
        print_error(error.code, str(error), as_json=as_json)
    else:
        name = type(error).__name__
        sentence = f"an unexpected error ({name}); CONTACTSYNC_DEBUG=1 shows where"
        print_error("InternalError", sentence, as_json=as_json)
    if os.environ.get("CONTACTSYNC_DEBUG") == "1":
        _show_frames(error)
    return error.exit_code if isinstance(error, ContactSyncError) else UNEXPECTED


def _first_of(error: BaseException) -> BaseException:
    """Of errors that ended tasks together, the first; one of ours before any other."""
    single = list(_singles(error))
    return next((each for each in single if isinstance(each, ContactSyncError)), single[0])


def _singles(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
        yield from _singles(each)


def _show_frames(error: BaseException) -> None:
    """Where it was raised, without texts and local variables: they may hold a person's values."""
    from contactsync.workers.log_lines import describe_exception

    note(json.dumps(describe_exception(error), indent=2))


def _report_usage(error: typer.TyperException, *, as_json: bool) -> int:
    show: object = getattr(error, "show", None)
    if as_json or not callable(show):
        print_error("UsageError", error.format_message(), as_json=as_json)
    else:
        show()
    return error.exit_code
