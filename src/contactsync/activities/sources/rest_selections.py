"""The part of JMESPath that only chooses, as Python functions: what nearly every expression of a mapping is made of.

The library walks its tree anew for every record; a function that was made once answers the same in a tenth of the time
(a test compares them). What calls functions, or compares more than a value with a text, is left to the library.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

Select = Callable[[JsonValue], JsonValue]
"""Never raises, and answers with JSON where it is asked about JSON."""


Path = tuple[str, ...]
"""Names of members, each inside the one before it."""

_ABOUT_THE_VALUE: Final = frozenset(
    {
        "multi_select_list",
        "multi_select_dict",
        "key_val_pair",
        "or_expression",
        "and_expression",
        "not_expression",
        "comparator",
        "literal",
        "function_expression",
    }
)
"""Nodes whose children are all asked about what the node itself is asked about."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the library's tree, typed. `value` is a name for most kinds."""

    kind: str
    value: object
    children: "tuple[Node, ...]"

    @property
    def is_path(self) -> bool:
        """Whether it only goes down: `a.b.c`, or `@`."""
        return self.kind in ("field", "current") or (
            self.kind == "subexpression" and all(child.is_path for child in self.children)
        )

    @property
    def places(self) -> frozenset[Path] | None:
        """The members that the answer depends on, and on nothing else of the value; None: nobody knows."""
        if self.is_path:
            return frozenset({self.path})
        if self.kind not in _ABOUT_THE_VALUE:
            return None
        inner = [child.places for child in self.children]
        known = [places for places in inner if places is not None]
        return frozenset[Path]().union(*known) if len(known) == len(inner) else None

    @property
    def path(self) -> Path:
        """Where a node leads that only goes down."""
        if self.kind == "field":
            return (str(self.value),)
        return tuple(name for child in self.children for name in child.path)


def selection(node: Node) -> Select | None:
    """The function that answers as this tree does; None where it does more than choose."""
    make = _MAKERS.get(node.kind)
    parts = [selection(child) for child in node.children]
    selects = [part for part in parts if part is not None]
    return make(node, selects) if make and len(selects) == len(parts) else None


def _field(node: Node, _: Sequence[Select]) -> Select:
    name = str(node.value)
    return lambda value: value.get(name) if isinstance(value, dict) else None


def _index(node: Node, _: Sequence[Select]) -> Select:
    at = node.value if isinstance(node.value, int) else 0

    def select(value: JsonValue) -> JsonValue:
        return value[at] if isinstance(value, list) and -len(value) <= at < len(value) else None

    return select


def _itself(_: Node, __: Sequence[Select]) -> Select:
    return lambda value: value


def _chain(node: Node, selects: Sequence[Select]) -> Select:
    first, *others = selects
    if not others:
        return first
    if node.is_path and [child.kind for child in node.children] == ["field", "field"]:
        return _member_of_member(*(str(child.value) for child in node.children))
    then = _chain(node, others)
    return lambda value: then(first(value))


def _member_of_member(outer: str, inner: str) -> Select:
    """As the chain of both, in one call: most paths are no longer."""

    def select(value: JsonValue) -> JsonValue:
        between = value.get(outer) if isinstance(value, dict) else None
        return between.get(inner) if isinstance(between, dict) else None

    return select


def _flatten(_: Node, selects: Sequence[Select]) -> Select:
    (of,) = selects

    def select(value: JsonValue) -> JsonValue:
        base = of(value)
        if not isinstance(base, list):
            return None
        return [item for each in base for item in (each if isinstance(each, list) else (each,))]

    return select


def _projection(_: Node, selects: Sequence[Select]) -> Select:
    of, then = selects

    def select(value: JsonValue) -> JsonValue:
        base = of(value)
        if not isinstance(base, list):
            return None
        return [chosen for each in base if (chosen := then(each)) is not None]

    return select


def _object(node: Node, selects: Sequence[Select]) -> Select:
    members = [(str(child.value), select) for child, select in zip(node.children, selects, strict=True)]
    return lambda value: None if value is None else {name: select(value) for name, select in members}


def _list(_: Node, selects: Sequence[Select]) -> Select:
    return lambda value: None if value is None else [select(value) for select in selects]


def _filter(_: Node, selects: Sequence[Select]) -> Select:
    of, then, condition = selects

    def select(value: JsonValue) -> JsonValue:
        base = of(value)
        if not isinstance(base, list):
            return None
        return [chosen for each in base if _is_yes(condition(each)) and (chosen := then(each)) is not None]

    return select


def _either(_: Node, selects: Sequence[Select]) -> Select:
    one, other = selects

    def select(value: JsonValue) -> JsonValue:
        chosen = one(value)
        return chosen if _is_yes(chosen) else other(value)

    return select


def _both(_: Node, selects: Sequence[Select]) -> Select:
    one, other = selects

    def select(value: JsonValue) -> JsonValue:
        chosen = one(value)
        return other(value) if _is_yes(chosen) else chosen

    return select


def _no(_: Node, selects: Sequence[Select]) -> Select:
    (of,) = selects
    return lambda value: not _is_yes(of(value))


def _is_yes(value: JsonValue) -> bool:
    return bool(value) or (value == 0 and value is not False)  # 0 is no "no" there


def _literal(node: Node, _: Sequence[Select]) -> Select | None:
    """Texts, whole numbers, yes, no and null: of what can be changed, or is infinite, each answer must be its own."""
    literal = node.value
    return (lambda _: literal) if literal is None or isinstance(literal, str | int) else None


def _comparison(node: Node, selects: Sequence[Select]) -> Select | None:
    """Whether something is a literal, or is not: deeper values might compare for ever."""
    if node.value not in ("eq", "ne") or "literal" not in [child.kind for child in node.children]:
        return None
    one, other = selects
    expected = node.value == "eq"
    return lambda value: _are_equal(one(value), other(value)) is expected


def _are_equal(one: JsonValue, other: JsonValue) -> bool:
    return one == other and isinstance(one, bool) is isinstance(other, bool)  # 1 is not "yes" there


_MAKERS: Final[Mapping[str, Callable[[Node, Sequence[Select]], Select | None]]] = {
    "field": _field,
    "index": _index,
    "current": _itself,
    "identity": _itself,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "key_val_pair": _chain,
    "flatten": _flatten,
    "projection": _projection,
    "multi_select_dict": _object,
    "multi_select_list": _list,
    "filter_projection": _filter,
    "or_expression": _either,
    "and_expression": _both,
    "not_expression": _no,
    "literal": _literal,
    "comparator": _comparison,
}
