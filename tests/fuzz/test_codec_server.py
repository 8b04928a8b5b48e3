"""The codec server keeps the promises of its own OpenAPI document, whatever is sent to it."""

# schemathesis leaves the parts of its cases untyped
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema as OpenApiSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.rings import ring_of
from tests.unit.codecs.server.asking import OTHER, TENANT
from tests.unit.codecs.server.people import People
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.rates import Rate

CHECKS: Final = [not_a_server_error, status_code_conformance, content_type_conformance]
SLOW: Final = [HealthCheck.too_slow, HealthCheck.filter_too_much]
MODES: Final = {
    GenerationMode.POSITIVE: [*CHECKS, response_schema_conformance],
    # a plain payload comes back as the very JSON that was sent, base64 that a lax reader lets pass included
    GenerationMode.NEGATIVE: CHECKS,
}


@pytest.fixture
async def described(tmp_path: Path) -> OpenApiSchema:
    """A server with everything turned on, as its document describes it."""
    ring = await ring_of(tmp_path, TENANT, OTHER)
    app = codec_app(ring, MemoryTrail(), People(), encode=True, rate=Rate(1e9, 1e9))
    return await asyncio.to_thread(schemathesis.openapi.from_asgi, "/openapi.json", app)


@pytest.mark.parametrize("name", ["operator", "privacy", "encoder", "stranger"])
def test_every_answer_is_one_of_those_described(described: OpenApiSchema, name: str) -> None:
    """No request of anybody ends in a server error, an undescribed status, or another form of answer."""
    operations = [found.ok() for found in described.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) >= 4
    for operation in operations:
        for mode in MODES if len(operation.body) else [GenerationMode.POSITIVE]:
            _ask(operation.as_strategy(generation_mode=mode), name, MODES[mode])


def _ask(cases: SearchStrategy[schemathesis.Case[Any]], name: str, checks: list[Any]) -> None:
    @settings(max_examples=12, derandomize=True, suppress_health_check=SLOW)
    @given(cases)
    def any_case(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers={"authorization": f"Bearer {name}"}, checks=checks)

    any_case()
