"""Signed notes, against the outside vectors of C2SP and Wycheproof (tests/vectors/tlog, tests/vectors/wycheproof)."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from tests.rings import ring_of

from contactsync.codecs.audit.signing import (
    KEY_NAME,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    NoteSigner,
    VerifierKey,
    audit_signer,
    sign_note,
    verify_note,
)
from contactsync.codecs.keys.key import DataKey, KeyPurpose, SecretBytes
from contactsync.errors import NoteRefused, SealRefused
from contactsync.identifiers import PLATFORM_TENANT

VECTORS: Final = Path(__file__).parents[3] / "vectors"
NOTE: Final = (VECTORS / "tlog" / "signed-note-example.txt").read_text()
VERIFIER: Final = (VECTORS / "tlog" / "signed-note-example.vkey.txt").read_text()
CHECKPOINT: Final = (VECTORS / "tlog" / "tlog-checkpoint-example.txt").read_text()
GO: Final = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

SIGNER: Final = NoteSigner("here/one", bytes(range(32)))
OTHER: Final = NoteSigner("here/other", bytes(range(1, 33)))
TEXT: Final = "first\n\nthird — ok\n"


def key(purpose: KeyPurpose, secret: bytes = b"\x05" * 32) -> DataKey:
    """A data key of the platform tenant."""
    return DataKey(bytes(16), PLATFORM_TENANT, purpose, 1, SecretBytes(secret))


def _wycheproof() -> Iterator[tuple[bytes, Mapping[str, str]]]:
    groups = json.loads((VECTORS / "wycheproof" / "ed25519_test.json").read_text())["testGroups"]
    for group in groups:
        for case in group["tests"]:
            yield bytes.fromhex(group["publicKey"]["pk"]), case


ED25519: Final = list(_wycheproof())


def test_all_outside_vectors_are_here() -> None:
    """Wycheproof states how many there are, and both verdicts occur."""
    stated = json.loads((VECTORS / "wycheproof" / "ed25519_test.json").read_text())["numberOfTests"]
    assert len(ED25519) == stated == 151
    assert {case["result"] for _, case in ED25519} == {"valid", "invalid"}


@pytest.mark.parametrize(("public", "case"), ED25519, ids=[str(case["tcId"]) for _, case in ED25519])
def test_outside_signatures_hold_or_not(public: bytes, case: Mapping[str, str]) -> None:
    """Wycheproof's verdict on every Ed25519 signature is ours."""
    held = VerifierKey("w", public).holds(bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
    assert held is (case["result"] == "valid")


def test_the_note_of_the_specification_verifies() -> None:
    """C2SP's example note is signed by C2SP's example key, whose text is ours."""
    verifier = VerifierKey.parse(VERIFIER)
    assert verifier.text == VERIFIER.strip()
    assert verify_note(NOTE, [verifier]) == "This is an example message.\n"


def test_the_checkpoint_of_the_specification_is_one_of_gos() -> None:
    """As printed it does not verify; under the origin and name that were signed it does."""
    verifier = VerifierKey.parse(GO)
    signed = CHECKPOINT.replace("— example.com/behind-the-sofa", "— sum.golang.org")
    with pytest.raises(NoteRefused):
        verify_note(signed, [verifier])
    original = signed.replace("example.com/behind-the-sofa", "go.sum database tree")
    assert verify_note(original, [verifier]).startswith("go.sum database tree\n20852163\n")


def test_what_is_signed_verifies_and_names_its_signer() -> None:
    """A note of our own, with an empty line in its text, comes back as it was."""
    note = sign_note(TEXT, SIGNER)
    assert note.startswith(TEXT + "\n— here/one ")
    assert verify_note(note, [OTHER.verifier, SIGNER.verifier]) == TEXT


def test_signatures_by_unknown_keys_are_passed_over() -> None:
    """A witness may add its line; alone it proves nothing."""
    witness = sign_note(TEXT, OTHER).rpartition("\n\n")[2]
    assert verify_note(sign_note(TEXT, SIGNER) + witness, [SIGNER.verifier]) == TEXT
    with pytest.raises(NoteRefused):
        verify_note(sign_note(TEXT, OTHER), [SIGNER.verifier])


def test_one_known_signature_that_does_not_hold_spoils_the_note() -> None:
    """Another valid signature does not make up for it."""
    foreign = sign_note("else\n", OTHER).rpartition("\n\n")[2]
    with pytest.raises(NoteRefused):
        verify_note(sign_note(TEXT, SIGNER) + foreign, [SIGNER.verifier, OTHER.verifier])


def test_every_changed_character_is_noticed() -> None:
    """No character of a note can be another one, or be left out."""
    note = sign_note(TEXT, SIGNER)
    changed = [note[:at] + "x" + note[at + 1 :] for at in range(len(note)) if note[at] != "x"]
    shorter = [note[:at] + note[at + 1 :] for at in range(len(note))]
    for forged in {*changed, *shorter}:
        with pytest.raises(NoteRefused):
            verify_note(forged, [SIGNER.verifier])


def test_a_signature_has_one_spelling() -> None:
    """The bits that base64 leaves over in its last letter are zero: no two notes are the same note."""
    note = sign_note(TEXT, SIGNER)
    last = note[-3]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert note.endswith(f"{last}=\n")
    with pytest.raises(NoteRefused):
        verify_note(f"{note[:-3]}{letters[letters.index(last) + 1]}=\n", [SIGNER.verifier])


def _with_lines(count: int) -> str:
    note = sign_note(TEXT, SIGNER)
    return note + note.rpartition("\n\n")[2] * (count - 1)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        TEXT,
        sign_note(TEXT, SIGNER).rstrip("\n"),
        sign_note(TEXT, SIGNER).replace("\n", "\r\n"),
        sign_note(TEXT, SIGNER).replace("— here", "- here"),
        sign_note(TEXT, SIGNER).replace("first", "fi\x07st"),
        sign_note(TEXT, SIGNER).replace("first", "fi\ud800st"),
        sign_note(TEXT, SIGNER).replace("here/one ", "here+one "),
        sign_note(TEXT, SIGNER) + "\n",
        sign_note(TEXT, SIGNER) + "— here/one AAAA\n",
        sign_note(TEXT, SIGNER) + "— here/one !!\n",
        _with_lines(MAX_SIGNATURES + 1),
        sign_note(TEXT, SIGNER).replace("first", "f" * MAX_NOTE_BYTES),
    ],
    ids=lambda note: repr(note[:24]),
)
def test_what_is_no_note_is_refused(note: str) -> None:
    """Malformed, unsigned, overlong: one error for all."""
    with pytest.raises(NoteRefused):
        verify_note(note, [SIGNER.verifier])


def test_sixteen_signatures_are_read() -> None:
    """As many as the specification asks verifiers to accept."""
    assert verify_note(_with_lines(MAX_SIGNATURES), [SIGNER.verifier]) == TEXT


@pytest.mark.parametrize(
    "text",
    ["", "no newline", "tab\t\n", "lone \ud800\n", "x" * MAX_NOTE_BYTES + "\n"],
    ids=lambda text: repr(text[:12]),
)
def test_what_a_note_cannot_hold_is_not_signed(text: str) -> None:
    """The signer refuses what no verifier would take."""
    with pytest.raises(SealRefused):
        sign_note(text, SIGNER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AQ==",
        VERIFIER.replace("530d903a", "530d903b"),
        VERIFIER.replace("example.com/foo", "example.com/bar"),
        VERIFIER.replace("+A", "+B", 1),
        VERIFIER.replace("example.com/foo", ""),
        VERIFIER.replace("example.com/foo", "example.com/ foo"),
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    """A key that was copied wrongly is noticed."""
    with pytest.raises(NoteRefused):
        VerifierKey.parse(text)


async def test_the_audit_key_signs_and_is_the_same_for_all(tmp_path: Path) -> None:
    """The ring makes one audit key, also before any tenant is there; asked again it gives the same one."""
    ring = await ring_of(tmp_path)
    signer = audit_signer(await ring.audit_key())
    note = sign_note(TEXT, signer)
    assert verify_note(note, [audit_signer(await ring.audit_key()).verifier]) == TEXT
    assert signer.verifier.name == KEY_NAME
    assert "PrivateKey" not in repr(signer)


def test_the_key_is_derived_and_frozen() -> None:
    """Known answer: another derivation would make every old checkpoint worthless."""
    assert (
        audit_signer(key(KeyPurpose.AUDIT)).verifier.text
        == "contactsync/audit+002ad9e6+AcUqiCElqMBfE89vIrb7f6y0aTlZBUrwUzjN20kPR/r2"
    )


@pytest.mark.parametrize("purpose", [purpose for purpose in KeyPurpose if purpose is not KeyPurpose.AUDIT])
def test_no_other_key_signs(purpose: KeyPurpose) -> None:
    """A key that seals is never used to sign."""
    with pytest.raises(SealRefused):
        audit_signer(key(purpose))
