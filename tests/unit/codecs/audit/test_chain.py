"""The chain and its checkpoints, whatever is done to them."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.codecs.audit.logs_at_hand import (
    FORGER,
    OTHER,
    SIGNER,
    TENANT,
    chained,
    note_at,
    texts_of,
)

from contactsync.codecs.audit.chain import FIRST, ChainCheck, Flaw, Link, Soundness, Verdict
from contactsync.codecs.audit.checkpoints import copies_of, notes_in, read_checkpoint, roots_of
from contactsync.codecs.audit.signing import sign_note
from contactsync.errors import NoteRefused

LOG = chained(texts_of(12))


def verdict_on(links: Sequence[Link], *notes: str, least: int = 0) -> Verdict:
    """What a check of the links against these checkpoints finds."""
    copies, forged = copies_of(TENANT, notes, [SIGNER.verifier])
    assert not forged
    check = ChainCheck(TENANT, roots_of(copies))
    for each in links:
        check.add(each)
    return check.verdict(least)


def test_a_log_is_sound_up_to_its_end_and_signed_up_to_its_checkpoint() -> None:
    """What a checkpoint does not cover is sound as far as the chain goes."""
    verdict = verdict_on(LOG, note_at(LOG, 4), note_at(LOG, 9))
    assert verdict == Verdict(Soundness.SOUND, 12, LOG[-1].hash, 9)
    assert verdict_on([]) == Verdict(Soundness.SOUND, 0, FIRST)


@given(st.permutations(range(12)))
def test_no_other_order_is_sound(order: list[int]) -> None:
    """Entries stand where they were written."""
    verdict = verdict_on([LOG[n] for n in order], least=12)
    assert (verdict.flaw is None) is (order == sorted(order))


@given(st.sets(st.integers(0, 11), min_size=1))
def test_nothing_can_be_left_out(missing: set[int]) -> None:
    """From the middle the gap shows, at the end the checkpoint does."""
    verdict = verdict_on([each for n, each in enumerate(LOG) if n not in missing], note_at(LOG, 12))
    assert verdict.soundness is Soundness.INCOMPLETE
    assert verdict.entries == min(missing)


@given(st.integers(0, 11), st.integers(0, 400), st.integers(1, 12))
def test_a_chain_that_is_made_anew_contradicts_the_checkpoints(changed: int, at: int, size: int) -> None:
    """Whoever changes an entry and links all that follow anew cannot sign it anew."""
    texts = texts_of(12)
    text = texts[changed]
    at %= len(text)
    texts[changed] = text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]
    verdict = verdict_on(chained(texts), note_at(LOG, 12), note_at(LOG, size))
    assert verdict.soundness is not Soundness.SOUND
    assert verdict.entries <= 12


def test_two_checkpoints_that_contradict_each_other_are_not_both_true() -> None:
    """A log that was signed twice at one length was two logs."""
    other = chained([*texts_of(3), texts_of(4)[3].replace("worker", "nobody")])
    verdict = verdict_on(LOG, note_at(LOG, 4), note_at(other, 4))
    assert (verdict.flaw, verdict.entries) == (Flaw.CHECKPOINT_DIFFERS, 3)


def test_entries_of_another_tenant_are_foreign() -> None:
    """Each entry names its tenant."""
    assert verdict_on(chained(texts_of(3, OTHER))).flaw is Flaw.ENTRY_FOREIGN
    assert verdict_on(chained(["{}"])).flaw is Flaw.ENTRY_FOREIGN


def test_copies_of_one_log_are_told_from_others() -> None:
    """Notes about other tenants are passed over; one about this tenant that another key signed is noticed."""
    foreign = note_at(LOG, 3, tenant=OTHER)
    genuine = note_at(LOG, 3)
    assert [each.size for each in copies_of(TENANT, [foreign, genuine], [SIGNER.verifier])[0]] == [3]
    assert copies_of(TENANT, [genuine, note_at(LOG, 3, signer=FORGER)], [SIGNER.verifier])[1]
    assert copies_of(TENANT, [foreign], [SIGNER.verifier]) == ((), False)


def test_copies_are_found_in_logs_and_in_files_of_notes() -> None:
    """Lines of our log, notes one after the other, and anything else between them."""
    first, second, third = (note_at(LOG, size) for size in (1, 2, 3))
    lines = [
        json.dumps({"event": "worker started"}),
        json.dumps({"event": "audit checkpoint", "checkpoint": first}),
        '{"event": "cut of',
        json.dumps(["checkpoint"]),
        "some words",
        second.rstrip("\n"),
        "",
        third,
    ]
    assert notes_in("\n".join(lines)) == [first, second, third]
    assert notes_in("nothing\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "contactsync/audit/x\n1\nAAAA\n",
        f"contactsync/audit/{TENANT}\n01\n{'A' * 43}=\n",
        f"contactsync/audit/{TENANT}\n1\n{'A' * 43}=\nmore\n",
        f"contactsync/audit/{'-' * 36}\n1\n{'A' * 43}=\n",
        f"contactsync/other/{TENANT}\n1\n{'A' * 43}=\n",
        f"contactsync/audit/{TENANT}\n0\n{'A' * 43}=\n",
    ],
)
def test_what_is_signed_and_no_checkpoint_is_refused(text: str) -> None:
    """A certificate, say, is signed by the same key and is no checkpoint."""
    with pytest.raises(NoteRefused):
        read_checkpoint(sign_note(text, SIGNER), [SIGNER.verifier])
