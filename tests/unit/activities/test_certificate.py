"""The certificate of an offboarding: what it says, and that a changed one is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from contactsync.activities.certificate import Certificate, certificate_of, destroyed_keys, read_certificate
from contactsync.activities.store.offboarding import LogHead, Offboarding
from contactsync.codecs.audit.signing import NoteSigner, sign_note
from contactsync.codecs.keys.cache import CacheLimits
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import NoteRefused, OffboardingNotFound

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIGNER = NoteSigner("contactsync/audit", bytes(32))
DONE = Offboarding(
    tenant_id=uuid4(),
    openings=(uuid4(),),
    requested_at=NOON,
    quarantine_until=NOON + timedelta(days=7),
    cancelled_at=None,
    decided_at=NOON + timedelta(days=7),
    effective_at=NOON + timedelta(days=7, seconds=2),
    deleted={"contact": 3, "connection": 1},
    executions=4,
)


def certificate(done: Offboarding = DONE, *, left: int = 0) -> Certificate:
    """A certificate of that."""
    return certificate_of(
        done,
        LogHead(9, bytes(32), NOON + timedelta(days=8)),
        {"tenant": ("00" * 16,)},
        namespace="default",
        executions_left=left,
        backups=timedelta(days=30),
        caches=CacheLimits(ttl=300, grace=1800),
    )


def test_it_claims_no_more_than_can_be_known() -> None:
    """The live store's end, the backups' end, and everything that is left, with its end where it has one."""
    said = certificate()
    assert said.final_at == said.effective_at + timedelta(days=30)
    assert {each.what: each.until for each in said.residuals} == {
        "caches": said.effective_at + timedelta(minutes=35),
        "key_store_backups": said.final_at,
        "data_backups": None,
        "audit_log": None,
        "tenant_row": None,
    }
    assert "temporal_histories" in {each.what for each in certificate(left=2).residuals}


def test_a_note_gives_the_certificate_back() -> None:
    """What was signed is what is read."""
    assert read_certificate(certificate().signed(SIGNER), [SIGNER.verifier]) == certificate()


@pytest.mark.parametrize("undone", [replace(DONE, decided_at=None), replace(DONE, effective_at=None)])
def test_nothing_is_certified_that_is_not_done(undone: Offboarding) -> None:
    """Without a decision, or with keys that are there, there is no certificate."""
    with pytest.raises(OffboardingNotFound):
        certificate(undone)


def test_what_was_changed_is_refused() -> None:
    """A changed count, another key, another version, and text that is no certificate."""
    note = certificate().signed(SIGNER)
    other = NoteSigner("contactsync/audit", bytes([1]) * 32)
    elsewhere = certificate().model_copy(update={"format": "contactsync-offboarding/2"}).signed(SIGNER)
    for wrong in (
        note.replace('"contact":3', '"contact":0'),
        certificate().signed(other),
        elsewhere,
        sign_note("no certificate\n", SIGNER),
        note.replace("\n\n", "\n"),
    ):
        with pytest.raises(NoteRefused):
            read_certificate(wrong, [SIGNER.verifier])


async def test_keys_are_named_once_all_are_destroyed(tmp_path: Path) -> None:
    """One key that is still there, and nothing is certified."""
    ring, tenant_id = KeyRing(MemoryKeyStore(), FileRootKey.create(tmp_path / "root.key")), uuid4()
    await ring.create_tenant(tenant_id)
    key = await ring.payload_key(tenant_id)
    with pytest.raises(OffboardingNotFound):
        await destroyed_keys(ring.store, tenant_id)
    await ring.destroy_tenant(tenant_id)
    named = await destroyed_keys(ring.store, tenant_id)
    assert named["payload"] == (key.kid.hex(),)
    assert set(named) == {"tenant", "payload", "row", "index", "suppression"}
