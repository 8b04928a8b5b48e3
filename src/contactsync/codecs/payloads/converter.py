"""How messages become payloads: framed pages as frames, everything else as pydantic's JSON.

Conversion errors are constant: pydantic's and the JSON encoder's own texts quote the value they choke on, and the SDK
would log them and put them into history in clear.
"""

from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)

from contactsync.codecs.payloads.framing import FramedPayloadConverter
from contactsync.errors import MessageUnreadable


class QuietJSONConverter(PydanticJSONPlainPayloadConverter):
    """pydantic's JSON converter, with errors that hold no value."""

    def to_payload(self, value: object) -> Payload | None:
        """The value as JSON.

        Raises:
            MessageUnreadable: it cannot be written as JSON.
        """
        try:
            return super().to_payload(value)
        except (PydanticSerializationError, ValueError, TypeError):
            raise MessageUnreadable from None

    # Any: the base class's own signature, a value of whatever type the hint names
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ANN401
        """The value of type `type_hint`.

        Raises:
            MessageUnreadable: the JSON is not of that type.
        """
        try:
            return super().from_payload(payload, type_hint)
        except (ValidationError, ValueError, TypeError):
            raise MessageUnreadable from None


class MessageConverter(CompositePayloadConverter):
    """Framed messages, then what `temporalio.contrib.pydantic` converts.

    The SDK makes one for each payload, so all of them share their converters, which keep nothing of a payload.
    """

    def __init__(self) -> None:
        super().__init__(*_converters())


@cache
def _converters() -> tuple[EncodingPayloadConverter, ...]:
    return FramedPayloadConverter(), *_pydantic_converters()


def _pydantic_converters() -> list[EncodingPayloadConverter]:
    return [
        QuietJSONConverter() if isinstance(converter, JSONPlainPayloadConverter) else converter
        for converter in DefaultPayloadConverter.default_encoding_payload_converters
    ]
