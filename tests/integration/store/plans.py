"""Plans of statements, as PostgreSQL carried them out."""

import json
from collections.abc import Iterator
from typing import TypedDict, cast

from contactsync.postgres import Transaction

Node = TypedDict(
    "Node", {"Node Type": str, "Relation Name": str, "Actual Loops": int, "Plans": list["Node"]}, total=False
)


async def explained(connection: Transaction, statement: str, *arguments: object) -> list[Node]:
    """The nodes of a statement's plan from the top, after it was carried out."""
    told = await connection.fetchval("EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) " + statement, *arguments)
    return list(_nodes(cast("list[dict[str, Node]]", json.loads(told))[0]["Plan"]))


def _nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
