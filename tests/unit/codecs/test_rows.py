"""Rows at rest: sealed blobs, blind indexes, keyed digests."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.codecs.envelope import cs1
from contactsync.codecs.keys.key import DataKey, KeyPurpose, SecretBytes, new_kid, new_secret
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import KeysRotated, OpenRefused, SealRefused

ANSWERS: Final = json.loads((Path(__file__).parents[2] / "vectors" / "cs1" / "known_answers.json").read_text("utf-8"))
TENANT: Final = UUID("0f0e0d0c-0b0a-4908-8706-050403020100")


def _row_key(epoch: int = 1, tenant: UUID = TENANT) -> DataKey:
    return DataKey(new_kid(), tenant, KeyPurpose.ROW, epoch, new_secret())


def _index_key(tenant: UUID = TENANT) -> DataKey:
    return DataKey(new_kid(), tenant, KeyPurpose.INDEX, 1, new_secret())


ROW_KEY: Final = _row_key()
SEALER: Final = TenantSealer([ROW_KEY], [_index_key()])
SEALED: Final = SEALER.seal("contact", "row-1", b"sealed row")


@given(st.binary(max_size=2_000), st.text(max_size=20), st.text(max_size=40))
def test_a_sealed_row_opens(plaintext: bytes, table: str, row_id: str) -> None:
    """Any content of any row comes back."""
    assert plaintext == SEALER.open(table, row_id, SEALER.seal(table, row_id, plaintext))


@pytest.mark.parametrize(
    ("table", "row_id"),
    [("contact", "row-2"), ("cursor", "row-1"), ("contactrow-1", ""), ("row-1", "contact"), ("contact", "\ud800")],
)
def test_a_row_is_bound_to_its_place(table: str, row_id: str) -> None:
    """A sealed row that was moved to another row or table does not open."""
    with pytest.raises(OpenRefused):
        SEALER.open(table, row_id, SEALED)


def test_a_row_is_bound_to_its_tenant() -> None:
    """The same keys under another tenant's id open nothing."""
    row = _row_key()
    sealed = TenantSealer([row], [_index_key()]).seal("contact", "1", b"x")
    moved = DataKey(row.kid, UUID(int=1), row.purpose, row.epoch, row.secret)
    with pytest.raises(OpenRefused):
        TenantSealer([moved], [_index_key(UUID(int=1))]).open("contact", "1", sealed)


def test_a_sealed_row_names_its_key_and_nothing_else() -> None:
    """In clear stand the key id and the format; the content does not."""
    assert SEALED[:20] == ROW_KEY.kid + cs1.HEADER
    assert b"sealed row" not in SEALED


@pytest.mark.parametrize("bit", range(0, len(SEALED) * 8, 3))
def test_a_changed_row_is_refused(bit: int) -> None:
    """A flipped bit anywhere is refused with the one constant sentence; in the key id, once no new key explains it."""
    index = _index_key()
    first, second = TenantSealer([ROW_KEY], [index]), TenantSealer([ROW_KEY], [index])
    flipped = bytearray(SEALED)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(OpenRefused) as refused:
        first.open("contact", "row-1", bytes(flipped))
    assert (type(refused.value) is KeysRotated) == first.is_outdated == (bit // 8 < 16)
    second.replaces(first)
    with pytest.raises(OpenRefused, match=f"^{re.escape(str(OpenRefused()))}$"):
        second.open("contact", "row-1", bytes(flipped))
    assert not second.is_outdated


def test_few_key_ids_are_asked_about() -> None:
    """Rows under any number of key ids that nobody made cannot make a sealer remember them all."""
    sealer = TenantSealer([ROW_KEY], [_index_key()])
    refusals = []
    for _ in range(200):
        with pytest.raises(OpenRefused) as refused:
            sealer.open("contact", "row-1", new_kid() + SEALED[16:])
        refusals.append(type(refused.value))
    assert refusals.count(KeysRotated) == 64


def test_a_row_is_renewed_under_the_newest_key() -> None:
    """Renewed, a row opens to the same under the newest key; one that is under it, or under no known key, stays."""
    first, second, index = _row_key(1), _row_key(2), _index_key()
    sealer = TenantSealer([first, second], [index])
    renewed = sealer.renew("t", "1", TenantSealer([first], [index]).seal("t", "1", b"content"))
    assert renewed.startswith(sealer.row_kid)
    assert sealer.open("t", "1", renewed) == b"content"
    assert sealer.renew("t", "1", renewed) == renewed
    assert sealer.renew("t", "1", b"no row at all") == b"no row at all"


def test_older_epochs_are_found_and_the_newest_is_written() -> None:
    """With two index keys values have the newer one's index, and the older one's where its epoch is named."""
    row, first = _row_key(), _index_key()
    second = DataKey(new_kid(), TENANT, KeyPurpose.INDEX, 2, new_secret())
    both, old = TenantSealer([row], [first, second]), TenantSealer([row], [first])
    assert (both.index_epoch, both.older_epochs, old.older_epochs) == (2, (1,), ())
    assert both.index("email", "a@example.org", 1) == old.index("email", "a@example.org")
    assert both.index("email", "a@example.org") != old.index("email", "a@example.org")
    assert both.content_mac(b"x") != old.content_mac(b"x")


def test_a_cut_row_is_refused() -> None:
    """Every truncation is refused."""
    for length in range(len(SEALED)):
        with pytest.raises(OpenRefused):
            SEALER.open("contact", "row-1", SEALED[:length])


def test_the_newest_row_key_seals_and_all_open() -> None:
    """With two row keys the later one seals, and rows of both open."""
    first, second, index = _row_key(1), _row_key(2), _index_key()
    both, old = TenantSealer([first, second], [index]), TenantSealer([first], [index])
    assert both.open("t", "1", old.seal("t", "1", b"old")) == b"old"
    assert both.seal("t", "1", b"new")[:16] == second.kid
    with pytest.raises(OpenRefused):
        old.open("t", "1", both.seal("t", "1", b"new"))


def test_equal_values_have_equal_indexes() -> None:
    """An index is 16 bytes, the same each time, and another for another value."""
    assert SEALER.index("email", "a@example.org") == SEALER.index("email", "a@example.org")
    assert SEALER.index("email", "a@example.org") != SEALER.index("email", "b@example.org")
    assert 16 == len(SEALER.index("email", "")) == len(SEALER.content_mac(b""))


def test_indexes_differ_by_field_tenant_and_use() -> None:
    """The same value has another index in another field, under another tenant's key, and as content."""
    other = TenantSealer([_row_key()], [_index_key()])
    value = "+15555550100"
    digests = {
        SEALER.index("email", value),
        SEALER.index("phone", value),
        SEALER.index("e", value),
        other.index("email", value),
        SEALER.content_mac(value.encode()),
        other.content_mac(value.encode()),
    }
    assert len(digests) == 6


def test_what_is_no_text_is_not_indexed() -> None:
    """A lone surrogate is refused without repeating the value."""
    with pytest.raises(SealRefused) as refusal:
        SEALER.index("email", "zoe\ud800@example.org")
    assert "zoe" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("answer", ANSWERS["digests"], ids=lambda answer: str(answer["field"]))
def test_known_digests(answer: Mapping[str, Any]) -> None:
    """Indexes and content digests are what an independent program makes of the same key: they are kept for years."""
    key = DataKey(new_kid(), TENANT, KeyPurpose.INDEX, 1, SecretBytes(bytes.fromhex(answer["index_key"])))
    sealer, value = TenantSealer([_row_key()], [key]), answer["normal_form"]
    found = sealer.content_mac(value.encode()) if answer["field"] is None else sealer.index(answer["field"], value)
    assert answer["digest"] == found.hex()


def test_a_known_row_opens() -> None:
    """A row sealed by an independent program opens: kid, then the envelope bound to table, row and version."""
    [answer] = [envelope for envelope in ANSWERS["envelopes"] if envelope["name"] == "row"]
    secret = SecretBytes(bytes.fromhex(answer["key"]))
    key = DataKey(bytes.fromhex(answer["kid"]), TENANT, KeyPurpose.ROW, 1, secret)
    table, row_id, _ = answer["fields"]
    sealed = bytes.fromhex(answer["kid"] + answer["sealed"])
    assert answer["plaintext"] == TenantSealer([key], [_index_key()]).open(table, row_id, sealed).hex()


@given(st.lists(st.tuples(st.text(max_size=10), st.binary(max_size=100)), max_size=5))
def test_many_at_once_are_what_each_would_be(rows: list[tuple[str, bytes]]) -> None:
    """Rows, indexes and digests, in their order; no two rows share a salt."""
    sealed = SEALER.seal_all("contact", rows)
    assert [SEALER.open("contact", name, each) for (name, _), each in zip(rows, sealed, strict=True)] == [
        plaintext for _, plaintext in rows
    ]
    assert len({each[cs1.KID_BYTES :][:28] for each in sealed}) == len(rows)
    names, contents = [name for name, _ in rows], [content for _, content in rows]
    assert SEALER.indexes("email", names) == [SEALER.index("email", name) for name in names]
    assert SEALER.content_macs(contents) == [SEALER.content_mac(content) for content in contents]


def test_each_of_many_rows_is_bound_to_its_own_place() -> None:
    """Two rows of one call do not open in each other's place."""
    first, second = SEALER.seal_all("contact", [("1", b"x"), ("2", b"x")])
    for name, sealed in (("2", first), ("1", second)):
        with pytest.raises(OpenRefused):
            SEALER.open("contact", name, sealed)
