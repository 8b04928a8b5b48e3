"""Data keys wrapped by their tenant's key: CS1, purpose `wrap/v1`."""

from contactsync.codecs.envelope import cs1
from contactsync.codecs.envelope.chunked import KEY_BYTES
from contactsync.codecs.keys.key import DataKey, SecretBytes, TenantKey
from contactsync.codecs.keys.store import StoredDataKey
from contactsync.errors import KeyAltered, KeyDestroyed, OpenRefused


def wrap_data_key(tenant_key: TenantKey, key: DataKey) -> StoredDataKey:
    """The data key as the store keeps it."""
    return StoredDataKey(
        kid=key.kid,
        tenant_id=key.tenant_id,
        purpose=key.purpose,
        epoch=key.epoch,
        tenant_version=tenant_key.version,
        wrapped=cs1.seal(tenant_key, binding_of(key), key.secret.expose()),
        encrypt_until=key.encrypt_until,
        destroy_at=key.destroy_at,
    )


def unwrap_data_key(tenant_key: TenantKey, stored: StoredDataKey) -> DataKey:
    """The data key.

    Raises:
        KeyDestroyed: it is gone.
        KeyAltered: its row does not open under the tenant's key.
    """
    if stored.wrapped is None:
        raise KeyDestroyed
    try:
        secret = cs1.open_(tenant_key, binding_of(stored), stored.wrapped)
    except OpenRefused:
        raise KeyAltered from None
    if len(secret) != KEY_BYTES:
        raise KeyAltered
    return DataKey(
        kid=stored.kid,
        tenant_id=stored.tenant_id,
        purpose=stored.purpose,
        epoch=stored.epoch,
        secret=SecretBytes(secret),
        encrypt_until=stored.encrypt_until,
        destroy_at=stored.destroy_at,
        held=stored.held_at is not None,
    )


def binding_of(key: DataKey | StoredDataKey) -> cs1.Binding:
    """What a wrapped data key is bound to, beside the wrapping key's id: tenant, purpose and its own id."""
    return cs1.Binding("wrap/v1", key.tenant_id, (key.purpose.value, key.kid.hex()))
