"""One payload of a sync's history: as Temporal holds it, and opened by the codec server."""

import base64
import json
from typing import Final

import httpx
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from contactsync.activities.messages import FETCH_PAGE
from contactsync.errors import TemporalRefused
from contactsync.workers.demo.report import HistoryReport

_SHOWN_BYTES: Final = 48


async def show_page(client: Client, workflow_id: str, codec_url: str, namespace: str) -> HistoryReport:
    """The result of the first `fetch_page` of a workflow.

    Raises:
        TemporalRefused: the history has none, or the codec server does not open it.
    """
    payload = await _first_page(client, workflow_id)
    return HistoryReport(
        encoding=payload.metadata["encoding"].decode(),
        key_id=payload.metadata["cs-kid"].decode(),
        bytes=len(payload.data),
        ciphertext=base64.b64encode(payload.data[:_SHOWN_BYTES]).decode(),
        masked=await _decoded(payload, codec_url, namespace),
    )


async def _first_page(client: Client, workflow_id: str) -> Payload:
    scheduled: set[int] = set()
    async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            if event.activity_task_scheduled_event_attributes.activity_type.name == FETCH_PAGE:
                scheduled.add(event.event_id)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            completed = event.activity_task_completed_event_attributes
            if completed.scheduled_event_id in scheduled:
                return completed.result.payloads[0]
    raise TemporalRefused("the history holds no fetched page")


async def _decoded(payload: Payload, codec_url: str, namespace: str) -> str:
    body = {
        "payloads": [
            {
                "metadata": {key: base64.b64encode(value).decode() for key, value in payload.metadata.items()},
                "data": base64.b64encode(payload.data).decode(),
            }
        ]
    }
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{codec_url}/decode", json=body, headers={"X-Namespace": namespace})
    if answer.status_code != 200:
        raise TemporalRefused(f"the codec server answered {answer.status_code}")
    opened = answer.json()["payloads"][0]
    return json.dumps(json.loads(base64.b64decode(opened["data"])), ensure_ascii=False, indent=2)
