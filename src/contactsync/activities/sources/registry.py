"""The kinds of sources there are. A new one is added here and in a module of its own; docs/add-a-source.md says how."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from contactsync.activities.contacts.contact import Fields
from contactsync.activities.sources.carddav import open_carddav
from contactsync.activities.sources.carddav_settings import CardDavSettings
from contactsync.activities.sources.limits import RequestLimits, SourceSettings
from contactsync.activities.sources.memory import MemorySettings, open_memory
from contactsync.activities.sources.rest import open_rest
from contactsync.activities.sources.rest_expressions import is_object
from contactsync.activities.sources.rest_settings import RestSettings
from contactsync.activities.sources.source import Credentials, Source, SourceFactory, Workbench
from contactsync.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source: the model of its settings, and what opens it."""

    settings: type[SourceSettings]
    open: SourceFactory


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "carddav": Kind(CardDavSettings, open_carddav),
        "memory": Kind(MemorySettings, open_memory),
        "rest": Kind(RestSettings, open_rest),
    }
)


def validate_settings(kind: str, settings: Mapping[str, object]) -> dict[str, object]:
    """The settings as they are kept: only those that were given, in JSON's types.

    Raises:
        SettingsError: the kind is unknown, or each problem of the settings, one a line; no value is repeated.
    """
    model = _kind(kind).settings
    try:
        return model.model_validate(dict(settings)).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        raise SettingsError(_problems(kind, settings, error)) from None


def open_source(
    kind: str, settings: Mapping[str, object], credentials: Credentials, fields: Fields, workbench: Workbench
) -> AbstractAsyncContextManager[Source]:
    """A source of this kind, to be entered.

    Raises:
        SettingsError: as `validate_settings`.
    """
    validate_settings(kind, settings)
    return _kind(kind).open(settings, credentials, fields, workbench)


def limits_of(kind: str, settings: Mapping[str, object]) -> RequestLimits:
    """What the provider allows this account."""
    return _kind(kind).settings.model_validate(dict(settings)).limits()


def account_of(kind: str, settings: Mapping[str, object]) -> str:
    """Names the provider's account (personal: digest it before it goes anywhere); "": the connection's own."""
    return _kind(kind).settings.model_validate(dict(settings)).account()


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise SettingsError(f"there is no such kind of source; there are {', '.join(sorted(KINDS))}")
    return KINDS[kind]


def _problems(kind: str, settings: Mapping[str, object], error: ValidationError) -> str:
    lines = [f"the settings of this {kind} source are not usable:"]
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(_path(settings, problem["loc"])) or "settings"
        lines.append(f"- {where}: {_sentence(problem)}")
    return "\n".join(lines)


def _sentence(problem: ErrorDetails) -> str:
    """What is wrong, and nothing of what was given."""
    match problem["type"]:
        case "missing":
            return "this is missing; docs/ has an example"
        case "extra_forbidden":
            return "there is no such setting; check how it is written"
        case "union_tag_invalid" | "union_tag_not_found":
            return f"give a kind: one of {problem.get('ctx', {}).get('expected_tags', 'those in docs/')}"
        case _:
            return problem["msg"].removeprefix("Value error, ")


def _path(settings: Mapping[str, object], places: Sequence[int | str]) -> list[str]:
    """The names as they were given: what pydantic adds for the members of a union is left out."""
    path: list[str] = []
    inner: object = settings
    for number, place in enumerate(places, 1):
        is_added = is_object(inner) and place not in inner and number < len(places)
        if is_added or place == "[key]":
            continue
        path.append(str(place))
        inner = inner.get(str(place)) if is_object(inner) else None
    return path
