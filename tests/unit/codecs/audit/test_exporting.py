"""Exports, checked without a database."""

import pytest
from tests.unit.codecs.audit.logs_at_hand import FORGER, OTHER, SIGNER, TENANT, chained, exported, note_at, texts_of

from contactsync.codecs.audit.chain import Flaw, Soundness
from contactsync.codecs.audit.exporting import ExportVerdict, check_export
from contactsync.errors import NoteRefused

LOG = chained(texts_of(6))
NOTE = note_at(LOG, 6)
LINES = exported(LOG, note_at(LOG, 3), NOTE)


def found(lines: list[str], *copies: str) -> ExportVerdict:
    """What a check with the right key finds."""
    return check_export(lines, SIGNER.verifier, copies)


def test_an_export_is_sound_and_signed_to_its_end() -> None:
    """It says whose log it is; the key in it is that of its maker."""
    verdict = found(LINES)
    assert (verdict.tenant_id, verdict.first, verdict.verifier) == (TENANT, 1, SIGNER.verifier)
    assert (verdict.verdict.soundness, verdict.verdict.entries, verdict.verdict.signed) == (Soundness.SOUND, 6, 6)
    assert check_export(LINES).verifier == SIGNER.verifier


def test_a_part_hangs_on_the_checkpoint_behind_it() -> None:
    """What stands before it is not there; that it is a part of that log its checkpoint shows."""
    part = exported(LOG, NOTE, first=4)
    assert (found(part).first, found(part).verdict.signed) == (4, 6)
    moved = [part[0].replace(LOG[2].hash.hex(), LOG[1].hash.hex()), *part[1:]]
    assert found(moved).verdict.flaw is Flaw.ENTRY_ALTERED


def test_every_line_counts() -> None:
    """No entry can be changed, left out, doubled, moved or cut off."""
    for at in range(3, len(LINES)):
        line = LINES[at]
        assert found([*LINES[:at], *LINES[at + 1 :]]).verdict.soundness is Soundness.INCOMPLETE
        assert found([*LINES[:at], line, *LINES[at:]]).verdict.soundness is Soundness.ALTERED
        assert found([*LINES[:at], line.replace("worker", "other"), *LINES[at + 1 :]]).verdict.entries == at - 3
        assert found(LINES[:at]).verdict.flaw is Flaw.TAIL_MISSING
        assert found([*LINES[:at], line[: len(line) // 2]]).verdict.flaw is Flaw.TAIL_MISSING
        if at + 1 < len(LINES):
            assert found([*LINES[:at], "{", *LINES[at + 1 :]]).verdict.flaw is Flaw.ENTRY_ALTERED
            assert found([*LINES[:at], LINES[at + 1], line, *LINES[at + 2 :]]).verdict.soundness is not Soundness.SOUND


def test_an_export_that_is_shorter_than_a_copy_says_is_incomplete() -> None:
    """Whoever made it may leave the end out and say so; a checkpoint kept elsewhere tells."""
    short = exported(LOG[:4], note_at(LOG, 3))
    assert found(short).verdict.soundness is Soundness.SOUND
    assert found(short, NOTE).verdict.flaw is Flaw.TAIL_MISSING


def test_a_forged_log_needs_a_forged_key() -> None:
    """With the installation's key nothing that another signed holds; the file's own key proves nothing."""
    other = chained([each.replace("worker", "nobody") for each in texts_of(6)])
    forged = exported(other, note_at(other, 6, signer=FORGER))
    assert found(forged).verdict.flaw is Flaw.CHECKPOINT_FORGED
    persuaded = [forged[0].replace(SIGNER.verifier.text, FORGER.verifier.text), *forged[1:]]
    assert check_export(persuaded).verdict.soundness is Soundness.SOUND
    assert found(persuaded).verdict.flaw is Flaw.CHECKPOINT_FORGED
    assert found(exported(other), NOTE).verdict.flaw is Flaw.CHECKPOINT_DIFFERS


def test_checkpoints_and_entries_of_another_tenant_do_not_fit() -> None:
    """Neither a foreign checkpoint nor a foreign name at the top goes through."""
    assert found(exported(LOG, note_at(LOG, 6, tenant=OTHER))).verdict.flaw is Flaw.CHECKPOINT_FORGED
    renamed = [LINES[0].replace(str(TENANT), str(OTHER)), *LINES[3:]]
    assert found(renamed).verdict.flaw is Flaw.ENTRY_FOREIGN


@pytest.mark.parametrize(
    "first", ["", "{}", "[]", "x", LINES[0].replace("audit/1", "audit/2"), LINES[0][:-9], LINES[3]]
)
def test_what_is_no_export_is_refused(first: str) -> None:
    """Its first line says what it is."""
    with pytest.raises(NoteRefused):
        found([first, *LINES[1:]])
