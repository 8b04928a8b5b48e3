"""Answers and records of which no more is read than somebody looks at.

A listing is mostly of contacts that are held as they are. To see that one is, its text at a few places is enough: what
lies between them is passed over, and no value is made of it. Where that is not possible everything is read, as ever.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import MsgspecError, Raw, Struct, defstruct
from msgspec.json import Decoder
from pydantic import JsonValue

from contactsync.activities.sources.rest_selections import Path

_NULL: Final = Raw(b"null")
_BETWEEN: Final = b"\0"
"""No JSON has it, so that two texts in a row are not two others."""

_members: Final = Decoder(dict[str, Raw])
_items: Final = Decoder(list[Raw])
_value: Final[Decoder[JsonValue]] = Decoder()
_UNREADABLE: Final = (MsgspecError, UnicodeDecodeError, RecursionError)

_NONE: Final = "none"
_NOTHING: Final = "nothing"


def _hidden(_: object) -> str:
    return "Members()"


_FIXED: Final[dict[str, object]] = {_NONE: None, _NOTHING: b"", "__repr__": _hidden}


class Outlined(Struct, frozen=True, gc=False):
    """Of a record: the values of the `heads` in their order, and one text for all other places, equal for no two
    records that differ there."""

    heads: tuple[JsonValue, ...]
    texts: bytes

    def __repr__(self) -> str:
        """What was found stays out of logs."""
        return "Outlined()"


@dataclass(frozen=True, slots=True)
class Skimmed:
    """An answer with its records as they stand in it; `rest` is the answer as if there were none."""

    rest: JsonValue = field(repr=False)
    records: list[Raw] = field(repr=False)


def skimmed(body: bytes, place: Path) -> Skimmed | None:
    """The answer, whose records are at this place; None: it has to be read as a whole, if it can be."""
    try:
        return _skimmed(body, place)
    except (*_UNREADABLE, KeyError):
        return None


def _skimmed(text: bytes | Raw, place: Path) -> Skimmed:
    if not place:
        return Skimmed([], _items.decode(text))
    members = _members.decode(text)
    inner = _skimmed(members.pop(place[0]), place[1:])
    return Skimmed(
        {place[0]: inner.rest, **{name: _value.decode(each) for name, each in members.items()}}, inner.records
    )


class Outline:
    """Finds the values at some places of a record, the `heads`, and the text at others."""

    def __init__(self, decoder: "Decoder[Struct]", heads: Sequence[str], texts: Sequence[str]) -> None:
        self._decode = decoder.decode
        self._heads: Callable[[object], tuple[JsonValue, ...]] = attrgetter(*heads)
        self._texts: Callable[[object], tuple[bytes, ...]] = attrgetter(*texts, _NOTHING, _NOTHING)

    def of(self, record: Raw) -> Outlined | None:
        """What is found; None: the record has another shape, and must be read as a whole."""
        try:
            found = self._decode(record)
        except _UNREADABLE:
            return None
        return Outlined(self._heads(found), _BETWEEN.join(self._texts(found)))


@lru_cache(maxsize=256)
def outline(heads: tuple[Path | None, ...], texts: frozenset[Path]) -> Outline | None:
    """What finds the heads (two or more; None: nobody looks at that one), and the text at the other places.

    None: one of the places is inside another, is all of the record, or has a name that no outline can have.
    """
    values = frozenset(path for path in heads if path is not None)
    outer = frozenset(path for path in texts if not any(path != other and is_inside(path, other) for other in texts))
    if any(one != other and is_inside(one, other) for one in values | outer for other in values | outer):
        return None
    try:
        shape, attributes = _shape(dict.fromkeys(outer, Raw) | dict.fromkeys(values, object))
    except (ValueError, IndexError):
        return None
    named = [_NONE if path is None else attributes[path] for path in heads]
    return Outline(Decoder(shape), named, [attributes[path] for path in sorted(outer - values)])


def is_inside(one: Path, other: Path) -> bool:
    """Whether a place is inside another one, or is that one."""
    return one[: len(other)] == other


def _shape(kinds: Mapping[Path, type]) -> tuple[type[Struct], dict[Path, str]]:
    """The shape of objects with these places, and the attributes that they are."""
    members: list[tuple[str, type, object]] = []
    names: dict[str, str] = {}
    attributes: dict[Path, str] = {}
    for number, name in enumerate(sorted({path[0] for path in kinds})):
        attribute = f"member_{number}"
        names[attribute] = name
        below = {path[1:]: kind for path, kind in kinds.items() if path[0] == name}
        kind, default, inside = _member(below)
        members.append((attribute, kind, default))
        attributes |= {(name, *path): attribute + within for path, within in inside.items()}
    return defstruct("Members", members, rename=names, namespace=_FIXED, gc=False), attributes


def _member(kinds: Mapping[Path, type]) -> tuple[type, object, dict[Path, str]]:
    """The type of a member, what it is where there is none, and the attributes below it."""
    if () in kinds:
        return kinds[()], _NULL if kinds[()] is Raw else None, {(): ""}
    inner, attributes = _shape(kinds)
    return inner, msgspec.field(default_factory=inner), {path: f".{name}" for path, name in attributes.items()}
