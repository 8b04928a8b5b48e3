"""`contactsync source …`: for whoever describes or writes a source; nothing here is kept anywhere."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.workers.cli import simulate
from contactsync.workers.cli.options import JsonFlag, parse_fields
from contactsync.workers.cli.output import Json, Report, card, table
from contactsync.workers.cli.running import show
from contactsync.workers.cli.settings_files import read_settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from contactsync.activities.contacts.contact import Contact, Fields
    from contactsync.activities.sources.query import Record
    from contactsync.activities.sources.rest import RawPage, RestSource
    from contactsync.activities.sources.rest_settings import RestSettings

source = typer.Typer(help="Try out the description of a source, without keeping anything.", no_args_is_help=True)

_DAY_SECONDS = 86_400


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    simulate.add_to(source)
    app.add_typer(source, name="source")


@source.command("test")
def try_file(  # noqa: PLR0917  # typer passes them by name
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The TOML file that describes the source.")],
    pages: Annotated[int, typer.Option(min=1, max=1000, help="Pages of the listing that are fetched.")] = 2,
    secret: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Where the password or token is: env:NAME, file:/PATH, vault:PATH#FIELD, aws-sm:NAME#FIELD.",
        ),
    ] = None,
    fields: Annotated[
        str | None, typer.Option(help="The allow-list, separated by commas; a new tenant's if not given.")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, max=100, help="Contacts that are shown, masked.")] = 3,
    as_json: JsonFlag = False,
) -> None:
    """Fetch pages of a `rest` source and show what it would give; nothing is written."""
    from contactsync.activities.contacts.contact import DEFAULT_FIELDS

    kept = parse_fields(fields) if fields is not None else DEFAULT_FIELDS
    show(try_source(file, secret, kept, pages=pages, samples=samples), as_json=as_json)


async def try_source(file: Path, secret: str | None, kept: "Fields", *, pages: int = 2, samples: int = 3) -> Report:
    """What the pages of a source hold; see `contactsync source test`.

    Raises:
        SettingsError: each problem of the file.
        SecretUnavailable, SourceError.
    """
    from contactsync.activities.sources.registry import validate_settings
    from contactsync.activities.sources.rest_settings import RestSettings

    validate_settings("rest", given := read_settings(file))
    settings = RestSettings.model_validate(given)
    tally = _Tally(settings, kept, samples)
    await _fetch(settings, secret, tally, pages)
    return _report(tally)


async def _fetch(settings: "RestSettings", secret: str | None, tally: "_Tally", pages: int) -> None:
    from contactsync.activities.contacts.contact import Field
    from contactsync.activities.sources.addresses import AddressRules
    from contactsync.activities.sources.rest import open_rest_query
    from contactsync.activities.sources.source import Credentials
    from contactsync.workers.cli.sources import NoWorkbench
    from contactsync.workers.setting_secrets import opened_secrets
    from contactsync.workers.settings import load_settings

    ours = load_settings()
    async with AsyncExitStack() as stack:
        secrets = await stack.enter_async_context(opened_secrets(ours))
        workbench = NoWorkbench(AddressRules(ours.allowed_networks()), secrets)
        credentials = Credentials(secret=await secrets.resolve(secret) if secret else "")
        query = await stack.enter_async_context(open_rest_query(settings, credentials, frozenset(Field), workbench))
        await _list(query, tally, pages)
        if settings.changes is not None:
            tally.changed = await _changes(query)
    tally.requests = workbench.meter.requests


async def _list(query: "RestSource", tally: "_Tally", pages: int) -> None:
    from contactsync.activities.sources.source import PageLimits

    parts, token = list(query.list_parts()), None
    for _ in range(pages):
        page = await query.raw_list(token, parts[0], PageLimits())
        tally.take(page)
        token = page.token
        if token is None:
            parts.pop(0)
        if not parts:
            tally.is_complete = True
            return


async def _changes(query: "RestSource") -> int:
    """How many records the question for the last day's changes brings on its first page."""
    import time

    from contactsync.activities.sources.query import Window
    from contactsync.activities.sources.rest_times import SECOND
    from contactsync.activities.sources.source import PageLimits

    now = round(time.time() * SECOND)
    window = Window(now - _DAY_SECONDS * SECOND, now)
    return len((await query.raw_changes(window, None, PageLimits())).records)


@dataclass(slots=True)
class _Tally:
    """What the pages held."""

    settings: "RestSettings"
    kept: "Fields"
    samples: int
    pages: int = 0
    requests: int = 0
    changed: int | None = None
    total: int | None = None
    is_complete: bool = False
    kinds: Counter[str] = field(default_factory=Counter[str])
    reasons: Counter[str] = field(default_factory=Counter[str])
    properties: Counter[str] = field(default_factory=Counter[str])
    without_time: int = 0
    repeated: int = 0
    ids: set[str] = field(default_factory=set[str], repr=False)
    unnamed: set[str] = field(default_factory=set[str], repr=False)
    contacts: "list[Contact]" = field(default_factory=list["Contact"], repr=False)

    def take(self, page: "RawPage") -> None:
        """Count a page's records."""
        from contactsync.activities.contacts.contact import Field
        from contactsync.activities.sources.rest_records import Mapper

        mapper = Mapper(self.settings.fields, frozenset(Field))
        named = _named(self.settings)
        self.pages += 1
        self.total = page.found.total if page.found.total is not None else self.total
        for raw in page.records:
            for record in mapper.records(raw):
                self._count(record)
            if isinstance(raw, dict):
                self.unnamed |= raw.keys() - named

    def _count(self, record: "Record") -> None:
        from contactsync.activities.sources.query import Listed
        from contactsync.activities.sources.source import Changed, Unreadable

        change = record.change.read() if isinstance(record.change, Listed) else record.change
        self.kinds[type(change).__name__] += 1
        self.repeated += change.source_id in self.ids
        self.ids.add(change.source_id)
        self.without_time += record.changed_at is None
        if isinstance(change, Unreadable):
            self.reasons[change.reason.value] += 1
        if isinstance(change, Changed):
            self.properties.update(property_.value for property_ in _properties(change.contact))
            self.contacts = [*self.contacts, change.contact][: self.samples]


def _properties(contact: "Contact") -> "Fields":
    """The properties that hold something."""
    from contactsync.activities.contacts.contact import Field
    from contactsync.activities.sources.memory import attribute_of

    return frozenset(each for each in Field if getattr(contact, attribute_of(each)))


def _named(settings: "RestSettings") -> frozenset[str]:
    """The members of records that an expression of [fields] names."""
    from contactsync.activities.sources.rest_expressions import compiled

    found: frozenset[str] = frozenset()
    for text in _texts(settings.fields.model_dump(exclude_none=True)):
        found |= compiled(text).names
    return found


def _texts(tree: Mapping[str, object]) -> Iterable[str]:
    from contactsync.activities.sources.rest_expressions import is_object

    for value in tree.values():
        if isinstance(value, str):
            yield value
        elif is_object(value):
            yield from _texts(value)


def _report(tally: _Tally) -> Report:
    rows = [(name, found, name in tally.kept) for name, found in sorted(tally.properties.items())]
    masked = [_masked(contact, tally.kept) for contact in tally.contacts]
    facts = _facts(tally)
    document: dict[str, Json] = {
        **facts,
        "unreadable": dict(tally.reasons),
        "properties": {name: {"contacts": found, "kept": kept} for name, found, kept in rows},
        "dropped": [name for name, _, kept in rows if not kept],
        "not_mapped": _masked_names(tally.unnamed),
        "samples": masked,
    }
    return Report(document, lambda: _picture(facts, tally, rows, masked))


def _facts(tally: _Tally) -> dict[str, Json]:
    return {
        "pages": tally.pages,
        "requests": tally.requests,
        "is_complete": tally.is_complete,
        "total": tally.total,
        "contacts": tally.kinds["Changed"],
        "deleted": tally.kinds["Removed"],
        "merged": tally.kinds["Moved"],
        "set_aside": tally.kinds["Unreadable"],
        "repeated_ids": tally.repeated,
        "without_time": tally.without_time if tally.settings.changes is not None else None,
        "changed_in_a_day": tally.changed,
    }


def _masked(contact: "Contact", kept: "Fields") -> Json:
    from contactsync.activities.sources.memory import minimised
    from contactsync.codecs.server.masking import mask

    # as the engine keeps it, and never more than the first letters of it
    return mask(minimised(contact, kept).model_dump(mode="json", exclude_defaults=True, exclude={"uid"}))


def _masked_names(names: Iterable[str]) -> list[Json]:
    """Names of members; one that may be a person's value shows its first letters only."""
    from contactsync.codecs.server.masking import mask

    masked = mask(dict.fromkeys(names))
    return list[Json](sorted(masked)) if isinstance(masked, dict) else []


def _picture(
    facts: Mapping[str, Json], tally: _Tally, rows: list[tuple[str, int, bool]], masked: list[Json]
) -> "RenderableType":
    import json

    from rich.console import Group
    from rich.text import Text

    shown = {
        **{name.replace("_", " "): value for name, value in facts.items()},
        "reasons": ", ".join(f"{name} {number}" for name, number in tally.reasons.items()) or None,
        "dropped": ", ".join(name for name, _, kept in rows if not kept) or "nothing",
        "not mapped": ", ".join(map(str, _masked_names(tally.unnamed))) or "nothing",
    }
    lines = [Text(json.dumps(each, ensure_ascii=False)) for each in masked]
    properties = table("properties", ("property", "contacts", "kept by the allow-list"), rows)
    return Group(card("nothing was written", shown)(), properties(), *lines)
