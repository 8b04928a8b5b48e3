"""Expressions: what they find, and that neither they nor what they are asked about take more than their share."""

import re

import jmespath
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from contactsync.activities.sources.rest_expressions import (
    MAX_CHARS,
    MAX_GROWTH,
    NotEvaluable,
    compiled,
    is_true,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(json_values, st.lists(st.sampled_from("abc"), min_size=1, max_size=4))
def test_plain_paths_find_what_the_library_finds(value: JsonValue, keys: list[str]) -> None:
    """The short way for `a.b.c` answers as JMESPath does."""
    text = ".".join(keys)
    assert compiled(text).is_path
    assert compiled(text).of(value) == jmespath.search(text, value)


steps = st.sampled_from(
    ["a", "b", "[0]", "[-1]", "[]", "[*]", "[].a", "{a: a, b: b.c}", "[a, b]", "[*].{a: @, c: [0]}"]
)
choices = st.lists(st.lists(steps, min_size=1, max_size=3).map(".".join), min_size=1, max_size=3)


@given(json_values, choices, st.sampled_from([" | ", " || "]))
@example({"a": 0, "b": 1}, ["a", "b"], " || ")
@example({"a": False, "b": 0.0}, ["a", "b"], " || ")
@example({"a": [[1], 2, None, [[3]]]}, ["a.[]"], " | ")
@example({"a": [{"a": 1}, None, {"a": None}, 2]}, ["a.[].a"], " | ")
@example({"a": [{"a": 1}, None, "x"]}, ["a.[*].{a: @, c: [0]}"], " | ")
@example([1, 2], ["[-1]", "[0]"], " || ")
def test_choices_are_those_of_the_library(value: JsonValue, parts: list[str], joined: str) -> None:
    """Indexes, lists, projections, objects, pipes and "or", made into functions, answer as JMESPath does."""
    text = joined.join(re.sub(r"\.\[(?=[\]*0-])", "[", part) for part in parts)
    assert repr(compiled(text).of(value)) == repr(jmespath.search(text, value))


sides = st.sampled_from(["a", "b", "@", "'x'", "''", "`0`", "`1`", "`1.0`", "`true`", "`false`", "`null`", "`[1]`"])
comparisons = st.tuples(sides, st.sampled_from(["==", "!="]), sides).map(" ".join)
conditions = st.recursive(
    sides | comparisons,
    lambda inner: (
        inner.map("!({})".format)
        | st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda it: f"({' '.join(it)})")
    ),
    max_leaves=4,
)
LEAVES: list[JsonValue] = [None, False, True, 0, 1, 0.0, 1.0, "", "x", [], [1], [True], {}]
leaves = st.sampled_from(LEAVES)
objects: st.SearchStrategy[JsonValue] = st.dictionaries(st.sampled_from("ab"), leaves) | leaves


@settings(max_examples=60)
@given(st.lists(objects, max_size=4), conditions)
@example([{"a": 1}, {"a": True}, {"a": 1.0}, {"a": [1]}], "a == `1`")
@example([{"a": 0}, {"a": False}, {"a": None}, {}], "!a")
@example([{"a": 0, "b": ""}, {"a": "", "b": 0}], "(a && b)")
def test_conditions_and_literals_are_those_of_the_library(value: list[JsonValue], condition: str) -> None:
    """Filters, comparisons, "and", "not" and what is written out, made into functions, answer as JMESPath does."""
    for text in (
        f"[?{condition}]",
        f"[?{condition}].a",
        f"[].[{condition}]",
        f"[*].{{a: {condition}, b: 'x', c: `7`}}",
    ):
        assert repr(compiled(text).of(value)) == repr(jmespath.search(text, value))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a[", "no JMESPath"),
        ("", "no JMESPath"),
        ("a['x']", "no JMESPath"),
        ("nope(@)", "does not have"),
        ("length(a, b)", "wrong number"),
        ("join(a, b)", "in quotes"),
        ("a" * (MAX_CHARS + 1), "characters"),
        ("[" * 400 + "a" + "]" * 400, "JMESPath|far more"),
        ("|".join(["[@, @][]"] * 12), "far more"),
        ("|".join(["to_string([@])"] * 4), "far more"),
        ("[@,@][].[@,@][].[@,@][].[@,@][].[@,@][].[@,@][].[@,@][].[@,@][].[@,@][].[@,@][]", "far more"),
        ("|".join(["[join('xxxxxxxxxxxxxxxxxxxx', [@,@])] | [0]"] * 3), "far more"),
        ("|".join(["map(&[@,@], [@,@])[]"] * 6), "far more"),
    ],
)
def test_expressions_that_are_refused(text: str, problem: str) -> None:
    """What is no expression, or could fill the memory of a worker, is refused before it runs."""
    with pytest.raises(ValueError, match=problem) as caught:
        compiled(text)
    assert "xxxx" not in str(caught.value)


@given(st.lists(st.sampled_from(["[@, @]", "[@, @][]", "{a: @, b: @}", "to_string(@)", "@"]), min_size=1, max_size=7))
def test_answers_grow_no_further_than_allowed(steps: list[str]) -> None:
    """An accepted expression answers with at most so many times what it was asked about."""
    text = " | ".join(steps)
    try:
        expression = compiled(text)
    except ValueError:
        return
    assert _size(expression.of('"')) <= MAX_GROWTH * _size('"') + MAX_CHARS


def _size(value: JsonValue) -> int:
    match value:
        case str():
            return len(value)
        case list():
            return sum(map(_size, value))
        case dict():
            return sum(map(_size, value.values()))
        case _:
            return 1


@pytest.mark.parametrize(
    "text", ["join(', ', a)", "sum(b)", "&a", "length(`1`)", "max_by(c, &x)", "sort(c)", "to_number(a) < b | abs(@)"]
)
def test_what_cannot_be_applied(text: str) -> None:
    """A function that is given something else is an error of ours, whose text holds nothing of the value."""
    value: JsonValue = {"a": "planted", "b": ["planted"], "c": [{"x": 1}, {"x": "planted"}, 3]}
    with pytest.raises(NotEvaluable) as caught:
        compiled(text).of(value)
    assert str(caught.value) == ""
    assert caught.value.__cause__ is None


def test_names() -> None:
    """The members that an expression names, wherever they are in it."""
    assert compiled("a.b[?c=='x'].{d: e, f: join(',', g)}").names == {"a", "b", "c", "e", "g"}


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", " ", "false", "No", "0", [], {}])
def test_flags_that_are_not_set(value: JsonValue) -> None:
    """Null, nothing, zero and words for no: an API that writes "false" deletes nobody."""
    assert not is_true(value)


@pytest.mark.parametrize("value", [True, 1, "true", "2026-01-01T00:00:00Z", "yes", ["x"], {"x": None}])
def test_flags_that_are_set(value: JsonValue) -> None:
    """Everything else is yes: a time of deletion among it."""
    assert is_true(value)
