"""What the contenders do as contactsync does it."""

import json

import pytest
from benchmarks.contenders.cleaning import POLICY, cleaned
from benchmarks.provider import SHAPES, Records
from benchmarks.sides import rest_settings
from tests.unit.rest.apis import Reply, api

from contactsync.activities.cleaning import long_way
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.rest import open_rest
from contactsync.activities.sources.source import Changed, Credentials, PageLimits


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_flow_cleans_as_the_worker_does(shape: str) -> None:
    """What the Prefect flow stores of a row is, byte for byte, what contactsync makes of it."""
    text, _ = Records(100, shape).page(0, None, small=False)
    answer = b'{"contacts":[' + text + b'],"next":null}'
    async with (
        api(lambda _: Reply(answer)) as there,
        open_rest(
            rest_settings(there.url, shape, incremental=False), Credentials(), POLICY.fields, Replica()
        ) as source,
    ):
        page = await source.fetch(None, PageLimits(rows=100))
    ours = [long_way(each.content, POLICY).content.decode() for each in page.changes if isinstance(each, Changed)]
    assert ours == [cleaned(row) for row in json.loads(answer)["contacts"]]
    assert len(ours) == 100
