"""Whole messages of the primitive, made and opened without an envelope around them."""

from contactsync.codecs.envelope.chunked import InputKey, cut, fresh_salt


def sealed_message(key: bytes, context: bytes, plaintext: bytes, salt: bytes | None = None) -> bytes:
    """`plaintext` as a message, under a fresh salt or a given one."""
    return InputKey(key).seal(context, cut(b"", plaintext, 0), fresh_salt() if salt is None else salt)


def opened_message(key: bytes, context: bytes, message: bytes) -> bytes:
    """What was sealed."""
    return bytes(InputKey(key).open(context, message))
