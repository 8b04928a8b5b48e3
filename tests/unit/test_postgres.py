"""The database's errors and named queries, without a database."""

import time
import traceback
from collections.abc import Iterator
from uuid import RFC_4122, UUID

import asyncpg
import pytest

from contactsync.errors import (
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefused,
    DatabaseUnavailable,
    NotMigrated,
    SettingsError,
)
from contactsync.postgres import MEANINGS, check_url, database_errors, load_queries, meaning_of, new_ids, rows_in

ROOTS = {asyncpg.PostgresError, asyncpg.FatalPostgresError}


def raisable() -> Iterator[type[Exception]]:
    """Every class of asyncpg that can be raised, its bare roots aside."""
    for name in vars(asyncpg.exceptions):
        kind: object = getattr(asyncpg.exceptions, name)
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, Warning):
            yield kind


def test_every_class_of_asyncpg_is_mapped() -> None:
    """A class of asyncpg that no line of the table names or covers fails here, so that its meaning is thought about."""
    lines = tuple(kind for kind, _, _ in MEANINGS)
    unmapped = {kind.__name__ for kind in raisable() if kind not in ROOTS and not issubclass(kind, lines)}
    assert unmapped == set()
    assert sum(1 for _ in raisable()) > 200


def test_no_line_hides_a_later_one() -> None:
    """The table is most specific first: no line can never be reached."""
    for later, (kind, _, _) in enumerate(MEANINGS):
        assert not any(issubclass(kind, earlier) for earlier, _, _ in MEANINGS[:later]), kind


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("25006", DatabaseReadOnly),
        ("53100", DatabaseFull),
        ("53300", DatabaseUnavailable),
        ("57P01", DatabaseUnavailable),
        ("57P03", DatabaseUnavailable),
        ("57014", DatabaseUnavailable),
        ("08006", DatabaseUnavailable),
        ("40001", DatabaseUnavailable),
        ("40P01", DatabaseUnavailable),
        ("55P03", DatabaseUnavailable),
        ("42P01", NotMigrated),
        ("42703", NotMigrated),
        ("28P01", DatabaseRefused),
        ("3D000", DatabaseRefused),
        ("42501", DatabaseRefused),
        ("23505", DatabaseRefused),
        ("ZZ999", DatabaseRefused),
    ],
)
def test_states_have_their_meaning(state: str, expected: type[DatabaseError]) -> None:
    """Each SQLSTATE that matters becomes the error whose retry verdict fits it."""
    error: asyncpg.PostgresError = asyncpg.PostgresError.new({"C": state, "M": "text"})
    assert type(meaning_of(error)) is expected


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), TimeoutError(), EOFError(), asyncpg.InterfaceError("connection is closed")]
)
def test_network_trouble_is_unavailable(error: Exception) -> None:
    """Refused, cut off and timed out connections all mean: try again."""
    assert type(meaning_of(error)) is DatabaseUnavailable


def test_texts_of_the_other_side_stay_behind() -> None:
    """Neither message, cause nor context of the replacing error holds what asyncpg said."""
    planted = "ada.planted@example.com"
    foreign: asyncpg.PostgresError = asyncpg.PostgresError.new(
        {"C": "23505", "M": planted, "D": f"Key (email)=({planted}) already exists."}
    )
    expected = r"^the database refused the statement \(SQLSTATE 23505\)$"
    with pytest.raises(DatabaseRefused, match=expected) as caught, database_errors():
        raise foreign
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert planted not in "".join(traceback.format_exception_only(caught.value))


def test_other_errors_pass() -> None:
    """An error that is not the database's is left as it is."""
    with pytest.raises(ZeroDivisionError), database_errors():
        raise ZeroDivisionError


@pytest.mark.parametrize("url", ["", "mysql://localhost/x", "postgresql://u:p@h:no/x", "postgres://[u:secret@h/x"])
def test_addresses_that_are_none_are_refused_unrepeated(url: str) -> None:
    """What is no PostgreSQL URL is a settings error that does not repeat the address, since it holds a password."""
    with pytest.raises(SettingsError) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_queries_are_named() -> None:
    """Every named query of the store has a statement, and no comment travels to the server."""
    for file in ("sql/contacts.sql", "sql/directory.sql", "sql/passes.sql", "sql/workbench.sql"):
        queries = load_queries("contactsync.activities.store", file)
        assert len(queries) > 2, file
        assert all(text and not text.startswith("--") for text in queries.values()), file


def test_new_ids_ascend_and_tell_their_time_alone() -> None:
    """Version 7 (RFC 9562 §5.7): the milliseconds in front, all else random, and none twice."""
    before = time.time_ns() // 1_000_000
    ids = new_ids(2_000)
    after = time.time_ns() // 1_000_000
    assert ids == sorted(set(ids))
    assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}
    assert all(before <= each.int >> 80 <= after for each in ids)
    drawn = [each.int & ((1 << 80) - 1) for each in ids]
    fixed = (0xF << 76) | (0b11 << 62)
    flipping = [bit for bit in range(80) if not fixed >> bit & 1]
    assert all(0 < sum(each >> bit & 1 for each in drawn) < len(drawn) for bit in flipping)
    assert len(flipping) == 74
    assert isinstance(ids[0], UUID)
    assert new_ids(0) == []


@pytest.mark.parametrize(("status", "rows"), [("UPDATE 3", 3), ("INSERT 0 12", 12), ("DELETE 0", 0)])
def test_a_status_says_how_many_rows_were_written(status: str, rows: int) -> None:
    """It is the last word of a command tag (PostgreSQL, §53.7, CommandComplete)."""
    assert rows_in(status) == rows
