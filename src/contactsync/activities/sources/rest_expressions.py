"""JMESPath expressions of a REST source: compiled once, bounded before they run, and typed where they leave.

An expression is a tenant's and what it is asked about is a stranger's: neither may take a worker's memory or time.
The JMESPath library gives values of any shape; what leaves this module is JSON that was looked at.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import Annotated, Final, TypeGuard

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import Options
from pydantic import AfterValidator, JsonValue

from contactsync.activities.sources.rest_selections import Node, Path, Select, selection

MAX_CHARS: Final = 1000
"""Characters of one expression."""

MAX_GROWTH: Final = 1000
"""So many times larger than what it is asked about may an expression's answer become."""

_NO: Final = frozenset({"", "0", "false", "no", "n", "null", "none"})
_ESCAPES: Final = 12  # one character as JSON text: `\ud83d\ude00`
_finite: Final = json.JSONEncoder(allow_nan=False)


class NotEvaluable(Exception):
    """The expression cannot be applied to this value. Never leaves a source: each caller says what it means there."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    text: str
    names: frozenset[str]
    """The members that it names anywhere."""

    is_path: bool
    """Whether it only goes down: `a.b.c`, or `@`. It leaves out nothing and adds nothing."""

    places: frozenset[Path] | None
    """The members that the answer depends on; None: nobody knows."""

    of: Select = field(repr=False, compare=False)
    """The answer for a value. Raises `NotEvaluable` where a function of it does not take what it finds there."""

    @property
    def path(self) -> Path | None:
        """Where it goes down to, if it `is_path`."""
        return next(iter(self.places or ()), None) if self.is_path else None

    def holds(self, value: JsonValue) -> bool:
        """Whether the answer is true; an expression that cannot be applied does not hold."""
        try:
            return is_true(self.of(value))
        except NotEvaluable:
            return False


def is_true(value: JsonValue) -> bool:
    """Whether a flag is set: what is null, empty, zero or a word for no is not."""
    if isinstance(value, str):
        return value.strip().lower() not in _NO
    return bool(value)


def is_json(value: object) -> TypeGuard[JsonValue]:
    """Whether the outermost layer is of JSON's types; what is below came out of JSON by selection alone."""
    return value is None or isinstance(value, bool | int | float | str | list | dict)


def is_list(value: object) -> TypeGuard[list[JsonValue]]:
    """Whether it is a list."""
    return isinstance(value, list)


def is_object(value: object) -> TypeGuard[dict[str, JsonValue]]:
    """Whether it is an object."""
    return isinstance(value, dict)


@lru_cache(maxsize=1024)
def compiled(text: str) -> Expression:
    """The expression of this text.

    Raises:
        ValueError: it is none, is too long, or may answer with far more than it is asked about; no text is repeated.
    """
    if len(text) > MAX_CHARS:
        raise ValueError(f"an expression has at most {MAX_CHARS} characters")
    try:
        parsed = jmespath.compile(text)
        node = _node(parsed.parsed)
        growth = _growth(node)
    except (JMESPathError, RecursionError):
        raise ValueError("this is no JMESPath expression; https://jmespath.org shows how they are written") from None
    if growth > MAX_GROWTH:
        raise ValueError("the expression may answer with far more than it is asked about; make it simpler")
    options = Options(custom_functions=Functions())
    of = selection(node) or _searched(lambda value: parsed.search(value, options))
    return Expression(text, _names(node), is_path=node.is_path, places=node.places, of=of)


def _check(text: str) -> str:
    compiled(text)
    return text


ExpressionText = Annotated[str, AfterValidator(_check)]
"""A setting that is an expression."""


def _node(tree: Mapping[str, object]) -> Node:
    children = tree["children"]
    inner: Sequence[object] = children if is_list(children) else []
    # the bounds of a slice are numbers
    return Node(str(tree["type"]), tree.get("value"), tuple(_node(child) for child in inner if is_object(child)))


def _searched(search: Callable[[object], object]) -> Select:
    """The library's own search, in the types and errors of this module."""

    def of(value: JsonValue) -> JsonValue:
        try:
            answer = search(value)
            _refuse_infinity(answer)
        except (JMESPathError, RecursionError, ArithmeticError, TypeError, ValueError, AttributeError):
            raise NotEvaluable from None  # the library checks the types of arguments, but not of everything in them
        if not is_json(answer):
            raise NotEvaluable
        return answer

    return of


def _refuse_infinity(answer: object) -> None:
    """A number that JSON does not have is no answer: written as JSON it would look like null.

    Raises:
        ValueError: there is one.
    """
    _finite.encode(answer)


def _names(node: Node) -> frozenset[str]:
    own = frozenset({str(node.value)}) if node.kind == "field" else frozenset[str]()
    return own.union(*(_names(child) for child in node.children))


def _growth(node: Node) -> int:
    """How many times larger than its input the answer can be at most.

    Selecting twice doubles, and what is piped multiplies: `[@, @][] | [@, @][] | …` would fill any memory.

    Raises:
        ValueError: a function is unknown or is given the wrong number of arguments.
    """
    grown = [_growth(child) for child in node.children]
    match node.kind:
        case "literal":
            return 1 + len(str(node.value))
        case "multi_select_list" | "multi_select_dict" | "comparator":
            return max(1, sum(grown))
        case "or_expression" | "and_expression":
            return max(grown)
        case "function_expression":
            return _function_growth(node, grown)
        case _:
            return reduce(lambda one, other: min(one * other, MAX_GROWTH + 1), grown, 1)


def _function_growth(node: Node, grown: Sequence[int]) -> int:
    name = str(node.value)
    if name not in _FUNCTIONS:
        raise ValueError("the expression calls a function that JMESPath does not have")
    most, is_open = _FUNCTIONS[name]
    if len(grown) < most or (len(grown) > most and not is_open):
        raise ValueError(f"the expression calls {name}() with the wrong number of arguments")
    match name:
        case "join":
            if node.children[0].kind != "literal":
                raise ValueError("the first argument of join() must be a text in quotes")
            return grown[0] * grown[1]
        case "to_string":
            return grown[0] * _ESCAPES
        case "map":
            return min(grown[0] * grown[1], MAX_GROWTH + 1)
        case _:
            return max(1, sum(grown))


def _functions() -> dict[str, tuple[int, bool]]:
    """Of each function: how many arguments it takes, and whether it takes more."""
    table: Mapping[str, Mapping[str, Sequence[Mapping[str, object]]]] = Functions.FUNCTION_TABLE
    signatures = {name: entry["signature"] for name, entry in table.items()}
    return {name: (len(each), bool(each and each[-1].get("variadic"))) for name, each in signatures.items()}


_FUNCTIONS: Final = _functions()
