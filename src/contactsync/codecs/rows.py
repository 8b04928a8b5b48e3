"""Rows at rest: sealed blobs, blind indexes and keyed digests of one tenant."""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from contactsync.codecs.envelope import cs1
from contactsync.codecs.keys.key import DataKey
from contactsync.errors import OpenRefused, SealRefused

ROW_VERSION: Final = "1"
"""The schema version that a sealed row is bound to."""

DIGEST_BYTES: Final = 16
_MAC_KEY_BYTES: Final = 32
_INDEX_LABEL: Final = b"contactsync/index/v1\x00"
_CONTENT_LABEL: Final = b"contactsync/content/v1\x00"


class TenantSealer:
    """Seals, opens and digests one tenant's rows without waiting for anything; made by `KeyRing.tenant_sealer`."""

    def __init__(self, row_keys: Sequence[DataKey], index_key: DataKey) -> None:
        """`row_keys`: by epoch, at least one; the last seals, all open."""
        self.tenant_id: Final = index_key.tenant_id
        self.index_epoch: Final = index_key.epoch
        self._row_key = row_keys[-1]
        self._row_keys = {key.kid: key for key in row_keys}
        self._index_key = index_key
        self._content = self._mac_under(_CONTENT_LABEL)
        self._indexes: dict[str, HMAC] = {}

    def seal(self, table: str, row_id: str, plaintext: bytes) -> bytes:
        """`kid(16) ‖ CS1`, bound to tenant, table, row and schema version.

        Raises:
            SealRefused: over 32 MiB, or a name that is too long.
        """
        return self._row_key.kid + cs1.seal(self._row_key, self._binding(table, row_id), plaintext)

    def open(self, table: str, row_id: str, sealed: bytes) -> bytes:
        """What `seal` sealed for this tenant, table and row.

        Raises:
            OpenRefused: anything at all is wrong; it does not say what.
        """
        key = self._row_keys.get(sealed[: cs1.KID_BYTES])
        if key is None:
            raise OpenRefused
        return cs1.open_(key, self._binding(table, row_id), sealed[cs1.KID_BYTES :])

    def index(self, field: str, normal_form: str) -> bytes:
        """The blind index of a value, 16 bytes: equal values of one tenant, field and epoch have equal ones.

        `normal_form` decides what counts as equal; two fields never share an index.

        Raises:
            SealRefused: the value is no text (it holds lone surrogates).
        """
        return _digest(self._index_mac(field), _text(normal_form))

    def content_mac(self, content: bytes) -> bytes:
        """A keyed digest of a row's content, 16 bytes: equal content is a no-op, and nobody else can search for it."""
        return _digest(self._content, content)

    def _binding(self, table: str, row_id: str) -> cs1.Binding:
        return cs1.Binding("row/v1", self.tenant_id, (table, row_id, ROW_VERSION))

    def _index_mac(self, field: str) -> HMAC:
        mac = self._indexes.get(field)
        if mac is None:
            mac = self._indexes[field] = self._mac_under(_INDEX_LABEL + _text(field))
        return mac

    def _mac_under(self, label: bytes) -> HMAC:
        """HMAC-SHA-256 under a key of its own, from the index key; kept, and copied for each use.

        cryptography's objects keep the interpreter lock; hashlib's give it up and wait for it beside a busy thread.
        """
        derived = HKDFExpand(SHA512(), _MAC_KEY_BYTES, label).derive(self._index_key.secret.expose())
        return HMAC(derived, SHA256())


def _digest(mac: HMAC, data: bytes) -> bytes:
    copied = mac.copy()
    copied.update(data)
    return copied.finalize()[:DIGEST_BYTES]


def _text(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise SealRefused("what is to be indexed is no text") from None
