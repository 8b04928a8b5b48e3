"""Custom search attributes: what Temporal Web can filter syncs by. They hold ids, kinds and states, never a person."""

from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client

from contactsync.errors import TemporalRefused
from contactsync.workers.refusals import temporal_errors
from contactsync.workers.syncs import SEARCH_ATTRIBUTES

_CALL: Final = timedelta(seconds=20)
_KEYWORD: Final = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD


async def missing_attributes(client: Client) -> list[str]:
    """The names of those that the namespace does not have.

    Raises:
        TemporalRefused: this client may not look, or one is there with another type.
        TemporalUnavailable.
    """
    with temporal_errors():
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_CALL
        )
    there = dict(answer.custom_attributes)
    names = [key.name for key in SEARCH_ATTRIBUTES]
    if any(there.get(name, _KEYWORD) != _KEYWORD for name in names):
        raise TemporalRefused("a search attribute ContactSync… is there and is no Keyword; remove it, then migrate")
    return [name for name in names if name not in there]


async def add_missing_attributes(client: Client) -> list[str]:
    """Make those that are missing; returns their names.

    Raises:
        TemporalRefused: this client may not; on Temporal Cloud `tcld namespace search-attributes add` makes them.
        TemporalUnavailable.
    """
    missing = await missing_attributes(client)
    if missing:
        request = AddSearchAttributesRequest(
            namespace=client.namespace, search_attributes=dict.fromkeys(missing, _KEYWORD)
        )
        with temporal_errors():
            await client.operator_service.add_search_attributes(request, timeout=_CALL)
    return missing
