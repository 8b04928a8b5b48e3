"""What Temporal holds: histories as stored, searched for payloads and strings."""

from collections.abc import Iterator

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from contactsync.codecs.payloads.sealed import is_sealed


async def stored_events(client: Client, workflow_id: str, run_id: str | None = None) -> list[HistoryEvent]:
    """A run's events, as the server has them."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    return [event async for event in handle.fetch_history_events()]


def payloads_in(message: Message) -> Iterator[Payload]:
    """Every payload anywhere inside a message."""
    if isinstance(message, Payload):
        yield message
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        values = value.values() if hasattr(value, "values") else value if hasattr(value, "append") else [value]
        for inner in values:
            if isinstance(inner, Message):
                yield from payloads_in(inner)


def unsealed(events: list[HistoryEvent]) -> list[tuple[str, bytes]]:
    """The payloads that are not sealed: kind of event, encoding."""
    return [
        (EventType.Name(event.event_type), payload.metadata["encoding"])
        for event in events
        for payload in payloads_in(event)
        if not is_sealed(payload)
    ]
