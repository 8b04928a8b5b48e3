"""Rows at rest: sealed blobs, blind indexes and keyed digests of one tenant."""

from collections.abc import Iterable, Sequence
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from contactsync.codecs.envelope import cs1
from contactsync.codecs.envelope.chunked import fresh_salts
from contactsync.codecs.keys.key import DataKey
from contactsync.errors import KeysRotated, OpenRefused, SealRefused

ROW_VERSION: Final = "1"
"""The schema version that a sealed row is bound to."""

DIGEST_BYTES: Final = 16
_ROW_ID: Final = 1
"""Which field of a row's binding names the row."""
_MAC_KEY_BYTES: Final = 32
_UNKNOWN_KIDS: Final = 64
_INDEX_LABEL: Final = b"contactsync/index/v1\x00"
_CONTENT_LABEL: Final = b"contactsync/content/v1\x00"


class TenantSealer:
    """Seals, opens and digests one tenant's rows without waiting for anything; made by `KeyRing.tenant_sealer`.

    It seals and digests under the newest epochs. While keys are rotated, rows of older ones are there too: it opens
    them, and tells where they would be found.
    """

    def __init__(self, row_keys: Sequence[DataKey], index_keys: Sequence[DataKey]) -> None:
        """`row_keys`, `index_keys`: by epoch, at least one each; the last seals and digests, all open and find."""
        self.tenant_id: Final = index_keys[-1].tenant_id
        self.row_epoch: Final = row_keys[-1].epoch
        self.index_epoch: Final = index_keys[-1].epoch
        self.older_epochs: Final = tuple(key.epoch for key in index_keys[:-1])
        self._row_key = row_keys[-1]
        self._row_keys = {key.kid: key for key in row_keys}
        self._sealing: dict[tuple[bytes, str], cs1.Series] = {}
        self._lacks: set[bytes] = set()
        self._absent: set[bytes] = set()
        self._digests = {key.epoch: _Digests(key) for key in index_keys}
        self._newest = self._digests[self.index_epoch]

    def seal(self, table: str, row_id: str, plaintext: bytes) -> bytes:
        """`kid(16) ‖ CS1`, bound to tenant, table, row and schema version.

        Raises:
            SealRefused: over 32 MiB, or a name that is too long.
        """
        return self.seal_all(table, [(row_id, plaintext)])[0]

    def seal_all(self, table: str, rows: Sequence[tuple[str, bytes]]) -> list[bytes]:
        """`seal` of many rows of one table, each its id and its plaintext.

        Raises:
            SealRefused: as `seal`.
        """
        series, kid, salts = self._series(self._row_key, table), self._row_key.kid, fresh_salts(len(rows))
        return [
            series.seal(row_id, plaintext, salt, kid) for (row_id, plaintext), salt in zip(rows, salts, strict=True)
        ]

    def open(self, table: str, row_id: str, sealed: bytes) -> bytes:
        """What `seal` sealed for this tenant, table and row.

        Raises:
            KeysRotated: it may be sealed under a key that was made since this sealer was; a newer one knows.
            OpenRefused: anything else at all is wrong; it does not say what.
        """
        key = self._row_keys.get(sealed[: cs1.KID_BYTES])
        if key is None:
            raise self._unknown(sealed[: cs1.KID_BYTES])
        return self._series(key, table).open(row_id, sealed[cs1.KID_BYTES :])

    def renew(self, table: str, row_id: str, sealed: bytes) -> bytes:
        """The same under the newest epoch; what is sealed under that already, or under no key that is here, as it is.

        Raises:
            OpenRefused: as `open`.
        """
        if sealed[: cs1.KID_BYTES] not in self._row_keys or sealed.startswith(self._row_key.kid):
            return sealed
        return self.seal(table, row_id, self.open(table, row_id, sealed))

    @property
    def row_kid(self) -> bytes:
        """The id of the key that seals: how every row begins that is sealed under the newest epoch."""
        return self._row_key.kid

    @property
    def is_outdated(self) -> bool:
        """Whether it was asked to open what it has no key for."""
        return bool(self._lacks)

    def replaces(self, older: "TenantSealer") -> None:
        """What an older one lacked, and is missing here too, does not exist: asking again would not help."""
        self._absent = (older._absent | older._lacks) - self._row_keys.keys()  # noqa: SLF001  # the same class

    def index(self, field: str, normal_form: str, epoch: int | None = None) -> bytes:
        """The blind index of a value, 16 bytes: equal values of one tenant, field and epoch have equal ones.

        `normal_form` decides what counts as equal; two fields never share an index. `epoch`: the newest, or one of
        `older_epochs`.

        Raises:
            SealRefused: the value is no text (it holds lone surrogates).
        """
        return self.indexes(field, (normal_form,), epoch)[0]

    def indexes(self, field: str, normal_forms: Iterable[str], epoch: int | None = None) -> list[bytes]:
        """The blind indexes of many values of a field, in their order.

        Raises:
            SealRefused: as `index`.
        """
        digests = self._newest if epoch is None else self._digests[epoch]
        return digests.indexes(field, normal_forms)

    def content_mac(self, content: bytes) -> bytes:
        """A keyed digest of a row's content, 16 bytes: equal content is a no-op, and nobody else can search for it."""
        return self.content_macs((content,))[0]

    def content_macs(self, contents: Iterable[bytes]) -> list[bytes]:
        """The keyed digests of many rows' contents, in their order."""
        return self._newest.contents(contents)

    def _series(self, key: DataKey, table: str) -> cs1.Series:
        """What is sealed in a table under a key; the few tables there are, are kept."""
        series = self._sealing.get((key.kid, table))
        if series is None:
            binding = cs1.Binding("row/v1", self.tenant_id, (table, "", ROW_VERSION))
            series = self._sealing[key.kid, table] = cs1.Series(key, binding, _ROW_ID)
        return series

    def _unknown(self, kid: bytes) -> OpenRefused:
        if kid in self._absent or len(self._absent | self._lacks) >= _UNKNOWN_KIDS:
            return OpenRefused()
        self._lacks.add(kid)
        return KeysRotated()


class _Digests:
    """The keyed digests under one index key; what is derived is kept."""

    def __init__(self, key: DataKey) -> None:
        self._key = key
        self._content = self._mac_under(_CONTENT_LABEL)
        self._indexes: dict[str, HMAC] = {}

    def indexes(self, field: str, normal_forms: Iterable[str]) -> list[bytes]:
        """See `TenantSealer`."""
        mac = self._indexes.get(field)
        if mac is None:
            mac = self._indexes[field] = self._mac_under(b"".join((_INDEX_LABEL, *_texts((field,)))))
        return _digests(mac, _texts(normal_forms))

    def contents(self, contents: Iterable[bytes]) -> list[bytes]:
        """See `TenantSealer.content_macs`."""
        return _digests(self._content, contents)

    def _mac_under(self, label: bytes) -> HMAC:
        """HMAC-SHA-256 under a key of its own, from the index key; kept, and copied for each use.

        cryptography's objects keep the interpreter lock; hashlib's give it up and wait for it beside a busy thread.
        """
        derived = HKDFExpand(SHA512(), _MAC_KEY_BYTES, label).derive(self._key.secret.expose())
        return HMAC(derived, SHA256())


def _digests(mac: HMAC, parts: Iterable[bytes]) -> list[bytes]:
    digests: list[bytes] = []
    for part in parts:
        copied = mac.copy()
        copied.update(part)
        digests.append(copied.finalize()[:DIGEST_BYTES])
    return digests


def _texts(values: Iterable[str]) -> list[bytes]:
    try:
        return [value.encode() for value in values]
    except UnicodeEncodeError:
        raise SealRefused("what is to be indexed is no text") from None
