"""docs/contacts.md names every field, reason and finding."""

import re
from pathlib import Path

import pytest

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Field
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sanitizing.findings import Finding

PAGE = (Path(__file__).parents[3] / "docs" / "contacts.md").read_text("utf-8")


def _rows(heading: str) -> dict[str, str]:
    """First and last column of the first table under a heading."""
    section = PAGE.partition(f"# {heading}\n")[2]
    table = section[section.index("|---") :].partition("\n\n")[0]
    return {
        row[0]: row[-1] for line in table.splitlines()[1:] if (row := re.findall(r"\| *`?([^|`]*?)`? *(?=\|)", line))
    }


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("The model", [*Field]),
        ("Reasons for setting a contact aside", [*QuarantineReason]),
        ("Findings", [*Finding]),
    ],
)
def test_every_name_is_documented(heading: str, names: list[str]) -> None:
    """The tables list what there is, and nothing else."""
    assert sorted(names) == sorted(_rows(heading))


def test_the_documented_default_is_the_default() -> None:
    """The page says of each field whether it is kept by default."""
    assert {field for field, kept in _rows("The model").items() if kept == "yes"} == DEFAULT_FIELDS
