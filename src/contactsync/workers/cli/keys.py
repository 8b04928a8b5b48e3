"""`contactsync keys …`: the group, and where a root key comes from."""

from pathlib import Path
from typing import Annotated

import typer

from contactsync.workers.cli.options import JsonFlag
from contactsync.workers.cli.output import Report, card, emit

keys = typer.Typer(
    help="Make the root key that all others hang from, see how keys stand, and end those that are over.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(keys, name="keys")


@keys.command("create-root")
def create_root(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; its folder must be there.")],
    as_json: JsonFlag = False,
) -> None:
    """Write a new root key to FILE, readable by its owner only. A file that is there is never overwritten."""
    from contactsync.codecs.keys.file_root import FileRootKey

    FileRootKey.create(file)
    path = file.resolve()
    facts = {"root key": path, "next": f"keep a copy in a safe place, then: export CONTACTSYNC_ROOT_KEY_FILE={path}"}
    emit(Report({"root_key_file": str(path)}, card("root key made", facts)), as_json=as_json)
