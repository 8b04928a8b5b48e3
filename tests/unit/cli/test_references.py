"""Ids as people give them."""

from uuid import UUID

import pytest

from contactsync.errors import ConnectionNotFound, TenantNotFound
from contactsync.workers.cli.references import pick, whole_id

FIRST = UUID("3f2a0000-0000-4000-8000-000000000001")
SECOND = UUID("3f2b0000-0000-4000-8000-000000000002")
IDS = (FIRST, SECOND)


@pytest.mark.parametrize("text", ["3f2a", "3F2A0000-", "3f2a0000", str(FIRST), str(FIRST).upper(), FIRST.hex, " 3f2a "])
def test_the_start_of_an_id_is_enough(text: str) -> None:
    """Four or more characters that only one id begins with name it, in either case, and so does the whole."""
    assert pick(text, IDS, TenantNotFound) == FIRST


@pytest.mark.parametrize("text", ["", "3f2", "3f2c", "hello", "3f2a_", str(UUID(int=5)), "3f2a*", "٣f2a"])
def test_what_names_nothing_is_not_found(text: str) -> None:
    """Too short, unknown or no id at all: the thing is not there."""
    with pytest.raises(ConnectionNotFound, match="there is no such connection"):
        pick(text, IDS, ConnectionNotFound)


def test_what_names_two_things_is_told_so() -> None:
    """A start that two ids share is not guessed about."""
    shared = (UUID("3f2a0000-0000-4000-8000-000000000001"), UUID("3f2a0000-0000-4000-8000-000000000002"))
    with pytest.raises(TenantNotFound, match="2 ids begin like this"):
        pick("3f2a", shared, TenantNotFound)


def test_only_whole_ids_are_whole() -> None:
    """What is as long as an id and none is not taken for one."""
    assert whole_id(str(FIRST)) == FIRST
    assert whole_id("z" * 36) is None
    assert whole_id("3f2a") is None
