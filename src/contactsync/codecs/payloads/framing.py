"""A message whose head a workflow may read and whose body it carries unopened.

On the wire: `uint32_be(len(head)) ‖ head as JSON ‖ body`, payload encoding `binary/x-contactsync-framed`. The codec
seals the whole; framing only keeps a workflow from parsing what it must not look into.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.converter import EncodingPayloadConverter

from contactsync.errors import MessageUnreadable

ENCODING: Final = "binary/x-contactsync-framed"
_LENGTH_BYTES: Final = 4

Head = TypeVar("Head", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Framed(Generic[Head]):
    """`head`: a pydantic model; `body`: bytes that only activities parse."""

    head: Head
    body: bytes


def split_frame(data: bytes) -> tuple[bytes, bytes]:
    """The head's JSON and the body.

    Raises:
        MessageUnreadable: the bytes are no frame.
    """
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    if len(data) < _LENGTH_BYTES or len(data) < end:
        raise MessageUnreadable
    return data[_LENGTH_BYTES:end], data[end:]


def join_frame(head: bytes, body: bytes) -> bytes:
    """The frame of a head's JSON and a body."""
    return len(head).to_bytes(_LENGTH_BYTES, "big") + head + body


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
        data = join_frame(message.head.model_dump_json().encode(), message.body)
        return Payload(metadata={"encoding": ENCODING.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Framed[Any]:
        """The message of class `type_hint`, a subclass of `Framed[Head]`.

        Raises:
            MessageUnreadable: the frame or its head is not what this version writes, or the hint is no such class.
        """
        message_type, head_type = _types_of(type_hint)
        head, body = split_frame(payload.data)
        try:
            return message_type(head_type.model_validate_json(head), body)
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
