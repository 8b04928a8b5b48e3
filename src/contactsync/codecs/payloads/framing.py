"""A message whose head a workflow may read and whose body it carries unopened.

On the wire: `uint32_be(len(head)) ‖ head as JSON ‖ body`, payload encoding `binary/x-contactsync-framed`. The codec
seals the whole; framing only keeps a workflow from parsing what it must not look into.
"""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pydantic import BaseModel

ENCODING: Final = "binary/x-contactsync-framed"
_LENGTH_BYTES: Final = 4

Head = TypeVar("Head", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Framed(Generic[Head]):
    """`head`: a pydantic model; `body`: bytes that only activities parse."""

    head: Head
    body: bytes
