"""Plans of statements, as PostgreSQL carried them out."""

import json
from collections.abc import Iterable, Iterator
from typing import TypedDict, cast

from contactsync.postgres import Transaction

Node = TypedDict(
    "Node",
    {
        "Node Type": str,
        "Relation Name": str,
        "Actual Loops": int,
        "Actual Rows": float,
        "Rows Removed by Filter": float,
        "Rows Removed by Index Recheck": float,
        "Plans": list["Node"],
    },
    total=False,
)


async def explained(connection: Transaction, statement: str, *arguments: object) -> list[Node]:
    """The nodes of a statement's plan from the top, after it was carried out."""
    told = await connection.fetchval("EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) " + statement, *arguments)
    return list(_nodes(cast("list[dict[str, Node]]", json.loads(told))[0]["Plan"]))


def rows_read(nodes: Iterable[Node], relation: str) -> int:
    """How many rows of relations whose name begins so were looked at, also those that were passed over."""
    scans = [node for node in nodes if "Scan" in node.get("Node Type", "")]
    return round(sum(_rows(scan) for scan in scans if scan.get("Relation Name", "").startswith(relation)))


def _rows(scan: Node) -> float:
    removed = scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
    return scan.get("Actual Loops", 0) * (scan.get("Actual Rows", 0) + removed)


def _nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
