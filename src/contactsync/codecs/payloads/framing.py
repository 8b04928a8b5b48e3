"""A message whose head a workflow may read and whose body it carries unopened.

On the wire: `uint32_be(2^31 + len(head)) ‖ head as JSON ‖ packed body`, payload encoding `binary/x-contactsync-framed`;
a packed body is `0 ‖ body`, or, where that is shorter, `1 ‖ uint32_be(len(body)) ‖ body as one zstd frame`. Without the
2^31 the body follows as it is: so frames were written before. The codec seals the whole; framing only keeps a workflow
from parsing what it must not look into, and from packing and unpacking it each time that it is handed on.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, Self, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.converter import EncodingPayloadConverter

from contactsync.codecs.envelope.compression import compress, decompress
from contactsync.codecs.envelope.cs1 import COMPRESS_FROM_BYTES, MAX_RAW_BYTES
from contactsync.errors import MessageUnreadable, OpenRefused

ENCODING: Final = "binary/x-contactsync-framed"
_LENGTH_BYTES: Final = 4
_PACKED: Final = 1 << 31
_PLAIN: Final = b"\x00"
_ZSTD: Final = b"\x01"
_ZSTD_HEAD: Final = 1 + _LENGTH_BYTES

Head = TypeVar("Head", bound=BaseModel)


@dataclass(frozen=True, slots=True, init=False)
class Framed(Generic[Head]):
    """`head`: a pydantic model; `packed`: the body, as it is carried."""

    head: Head
    packed: bytes

    def __init__(self, head: Head, body: bytes) -> None:
        """`body`: bytes that only activities parse; it is packed at once, and stays so until somebody asks for it."""
        object.__setattr__(self, "head", head)
        object.__setattr__(self, "packed", _pack(body))

    @classmethod
    def carried(cls, head: Head, packed: bytes) -> Self:
        """The message of a body that is packed already."""
        message = cls.__new__(cls)
        object.__setattr__(message, "head", head)
        object.__setattr__(message, "packed", packed)
        return message

    @property
    def body(self) -> bytes:
        """The body, unpacked each time.

        Raises:
            MessageUnreadable: another version packed it.
        """
        return _unpack(self.packed)


def split_frame(data: bytes) -> tuple[bytes, bytes]:
    """The head's JSON and the body, unpacked.

    Raises:
        MessageUnreadable: the bytes are no frame.
    """
    head, packed = _split(data)
    return head, _unpack(packed)


def join_frame(head: bytes, packed: bytes) -> bytes:
    """The frame of a head's JSON and a packed body."""
    return b"".join(((_PACKED | len(head)).to_bytes(_LENGTH_BYTES), head, packed))


def _split(data: bytes) -> tuple[bytes, bytes]:
    """The head's JSON and the packed body."""
    announced = int.from_bytes(data[:_LENGTH_BYTES])
    end = _LENGTH_BYTES + (announced & ~_PACKED)
    if len(data) < _LENGTH_BYTES or len(data) < end:
        raise MessageUnreadable
    packed = data[end:] if announced & _PACKED else _PLAIN + data[end:]
    return data[_LENGTH_BYTES:end], packed


def _pack(body: bytes) -> bytes:
    if len(body) >= COMPRESS_FROM_BYTES:
        frame = compress(body)
        if len(frame) < len(body):
            return b"".join((_ZSTD, len(body).to_bytes(_LENGTH_BYTES), frame))
    return _PLAIN + body


def _unpack(packed: bytes) -> bytes:
    form, size = packed[:1], int.from_bytes(packed[1:_ZSTD_HEAD])
    if form == _PLAIN:
        return packed[1:]
    if form != _ZSTD or size > MAX_RAW_BYTES:
        raise MessageUnreadable
    try:
        return decompress(memoryview(packed)[_ZSTD_HEAD:], size)
    except OpenRefused:
        raise MessageUnreadable from None


class FramedPayloadConverter(EncodingPayloadConverter):
    """Converts `Framed` messages; every other value is left to the next converter."""

    @property
    def encoding(self) -> str:
        """`binary/x-contactsync-framed`."""
        return ENCODING

    def to_payload(self, value: object) -> Payload | None:
        """The frame of a `Framed` message; None for anything else."""
        if not isinstance(value, Framed):
            return None
        message = cast("Framed[BaseModel]", value)
        data = join_frame(message.head.model_dump_json().encode(), message.packed)
        return Payload(metadata={"encoding": ENCODING.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Framed[Any]:
        """The message of class `type_hint`, a subclass of `Framed[Head]`.

        Raises:
            MessageUnreadable: the frame or its head is not what this version writes, or the hint is no such class.
        """
        message_type, head_type = _types_of(type_hint)
        head, packed = _split(payload.data)
        try:
            return message_type.carried(head_type.model_validate_json(head), packed)
        except ValidationError:
            raise MessageUnreadable from None


@lru_cache(maxsize=64)
def _types_of(type_hint: object) -> tuple[type[Framed[Any]], type[BaseModel]]:
    candidate = get_origin(type_hint) or type_hint
    if not (isinstance(candidate, type) and issubclass(candidate, Framed)):
        raise MessageUnreadable
    message_type = cast("type[Framed[Any]]", candidate)
    for base in (type_hint, *_generic_bases(message_type)):
        head_type = _head_type(base)
        if head_type is not None:
            return message_type, head_type
    raise MessageUnreadable


def _generic_bases(message_type: type[Any]) -> list[object]:
    return [base for cls in message_type.__mro__ for base in getattr(cls, "__orig_bases__", ())]


def _head_type(base: object) -> type[BaseModel] | None:
    arguments = get_args(base) if get_origin(base) is Framed else ()
    head_type = arguments[0] if arguments else None
    return head_type if isinstance(head_type, type) and issubclass(head_type, BaseModel) else None
