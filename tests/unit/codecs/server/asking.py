"""What tests of the codec server ask, and of whom."""

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
from starlette.applications import Starlette
from temporalio.api.common.v1 import Payload

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.sealed import seal_payload
from contactsync.codecs.server.limits import JsonPayload, to_json, to_payload

TENANT, OTHER = uuid4(), uuid4()
UI = "http://localhost:8233"
NAMESPACE = {"x-namespace": "default"}
AUTHORIZED = {**NAMESPACE, "authorization": "Bearer a-token"}
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"name":"Anna Schmidt","rows":3}')
MASKED = {"name": "A… S…", "rows": 3}


def asking(app: Starlette, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A client of the app."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081", headers=headers)


async def sealed(
    ring: KeyRing, tenant: UUID = TENANT, payload: Payload = PLAIN, namespace: str = "default"
) -> JsonPayload:
    """A sealed payload as JSON."""
    return to_json(seal_payload(await ring.payload_key(tenant), namespace, "", payload))


def shown(answer: httpx.Response) -> list[Any]:
    """The data of the answer's payloads."""
    assert answer.status_code == 200, answer.text
    return [json.loads(to_payload(item).data) for item in answer.json()["payloads"]]
