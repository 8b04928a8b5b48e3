"""`--fault NAME=VALUE`: what people type, as faults."""

import pytest
import typer

from contactsync.activities.sources.simulator.faults import Faults, Refused
from contactsync.workers.cli.simulate import parse_faults


def test_faults_are_numbers_words_flags_and_answers() -> None:
    """Each as JSON, or as text where it is none."""
    typed = ["order=shuffled", "query_cap=10", "tombstones=false", 'expiry={"status": 400}', "loop=stuck"]
    expected = Faults(order="shuffled", query_cap=10, tombstones=False, expiry=Refused(400), loop="stuck")
    assert parse_faults(typed) == expected
    assert parse_faults([]) == Faults()


@pytest.mark.parametrize("pair", ["order", "nonsense=1", "order=sideways", "query_cap=many", "__class__=1"])
def test_what_is_no_fault_is_told_without_its_value(pair: str) -> None:
    """The page that lists them is named."""
    with pytest.raises(typer.BadParameter, match=r"docs/simulator\.md") as told:
        parse_faults([pair])
    assert "sideways" not in told.value.message
