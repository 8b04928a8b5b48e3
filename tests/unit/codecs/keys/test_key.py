"""Keys do not show themselves."""

import copy
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, astuple
from typing import Final
from uuid import UUID

import pytest

from contactsync.codecs.keys.key import DataKey, KeyPurpose, SecretBytes, TenantKey, new_kid, new_secret
from contactsync.codecs.keys.root_file import RootVersion
from contactsync.codecs.keys.store import StoredDataKey, StoredTenantKey
from contactsync.errors import SealRefused

RAW: Final = b"not-to-be-seen-by-anyone-at-all!"
TENANT: Final = UUID(int=7)
HOLDERS: Final = {
    "secret": SecretBytes(RAW),
    "data key": DataKey(bytes(16), TENANT, KeyPurpose.ROW, 1, SecretBytes(RAW)),
    "tenant key": TenantKey(bytes(16), TENANT, 1, SecretBytes(RAW)),
    "root version": RootVersion(1, SecretBytes(RAW)),
}


def _formats(value: object) -> str:
    return " ".join([repr(value), str(value), f"{value}", f"{value!a}", f"{[value]}", repr(vars(type(value)))])


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
def test_no_form_of_a_key_shows_it(holder: object) -> None:
    """Neither repr nor any format of a key or of what holds it contains the secret, raw or in hex."""
    shown = _formats(holder)
    assert "SecretBytes(…)" in shown
    assert all(form not in shown for form in ("not-to-be-seen", RAW.hex(), repr(RAW)))


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy], ids=["pickle", "deepcopy"])
def test_a_secret_is_neither_pickled_nor_copied(holder: object, copied: Callable[[object], object]) -> None:
    """Pickling or deeply copying a key is refused whatever holds it, in words that do not show it."""
    with pytest.raises(TypeError, match="cannot be pickled") as refusal:
        copied(holder)
    assert "not-to-be-seen" not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_protocol_takes_a_secret(protocol: int) -> None:
    """Every protocol of pickle is refused."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(SecretBytes(RAW), protocol)


@pytest.mark.parametrize("dumped", [asdict, astuple])
def test_a_key_is_not_dumped_as_data(dumped: Callable[[DataKey], object]) -> None:
    """The dataclass helpers that copy deeply are refused."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        dumped(DataKey(bytes(16), TENANT, KeyPurpose.ROW, 1, SecretBytes(RAW)))


def test_stored_keys_do_not_show_their_wrapped_bytes() -> None:
    """Even wrapped bytes stay out of reprs, so that no log can hold what a stolen root key would open."""
    tenant = StoredTenantKey(bytes(16), TENANT, 1, RAW)
    data = StoredDataKey(bytes(16), TENANT, KeyPurpose.ROW, 1, 1, RAW)
    assert "not-to-be-seen" not in repr(tenant) + repr(data)


def test_a_secret_has_no_attributes_to_leave_it_by() -> None:
    """A secret has no `__dict__`, and is equal to itself alone."""
    assert not hasattr(SecretBytes(RAW), "__dict__")
    assert SecretBytes(RAW) != SecretBytes(RAW)
    assert SecretBytes(RAW).expose() == RAW


def test_a_secret_is_made_ready_once_and_shows_nothing_then() -> None:
    """What seals is made of a secret once, is the secret's own, and tells no more of it than the secret does."""
    one, other = SecretBytes(RAW), SecretBytes(RAW)
    ready = one.sealing()
    assert ready is one.sealing()
    assert ready is not other.sealing()
    assert "not-to-be-seen" not in _formats(ready) + _formats(one)
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.deepcopy(one)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_of_another_length_seals_nothing(length: int) -> None:
    """Only 32 bytes can be sealed with."""
    with pytest.raises(SealRefused):
        SecretBytes(bytes(length)).sealing()


def test_new_keys_differ() -> None:
    """Fresh ids have 16 bytes, fresh secrets 32, and no two are the same."""
    kids, secrets = {new_kid() for _ in range(100)}, {new_secret().expose() for _ in range(100)}
    assert (len(kids), len(secrets)) == (100, 100)
    assert ({16}, {32}) == ({len(kid) for kid in kids}, {len(secret) for secret in secrets})
