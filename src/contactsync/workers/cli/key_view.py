"""How keys are shown: ids, numbers and dates; never a key."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from contactsync.workers.cli.output import Json, Report, card, shown, table

if TYPE_CHECKING:
    from uuid import UUID

    from rich.console import RenderableType

    from contactsync.activities.key_messages import JudgedKeys
    from contactsync.activities.store.samples import Sample
    from contactsync.codecs.keys.proof import Proved
    from contactsync.codecs.keys.store import KeyCount, StoredDataKey, StoredTenantKey

FAULTY: Final = 7
T = TypeVar("T", "StoredTenantKey", "KeyCount")
_PAYLOAD: Final = "payload"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS: Final = (
    *("tenant", "key", "under root", "payload keys", "destroyed", "held", "overdue"),
    *("today's", "next end", "others"),
)


def status_report(
    newest_root: int | None,
    roots: Mapping[bytes, int | None],
    versions: "Sequence[StoredTenantKey]",
    counts: "Sequence[KeyCount]",
    held: "Sequence[StoredDataKey]",
) -> Report:
    """`keys status`; `roots` has, by key id, the root version that wraps a tenant's key."""
    counted = _by_tenant(counts)
    tenants = [
        _tenant(tenant_id, keys, counted.get(tenant_id, []), roots) for tenant_id, keys in _by_tenant(versions).items()
    ]
    document: dict[str, Json] = {
        "root_version": newest_root,
        "tenants": [each for each, _ in tenants],
        "held": [_held(key) for key in held],
        "overdue": sum(count.overdue for count in counts),
    }
    return Report(document, _status_picture(newest_root, [row for _, row in tenants], held))


def _by_tenant(found: "Sequence[T]") -> "dict[UUID, list[T]]":
    groups: dict[UUID, list[T]] = {}
    for each in found:
        groups.setdefault(each.tenant_id, []).append(each)
    return groups


def _tenant(
    tenant_id: "UUID",
    versions: "Sequence[StoredTenantKey]",
    counts: "Sequence[KeyCount]",
    roots: Mapping[bytes, int | None],
) -> tuple[dict[str, Json], tuple[object, ...]]:
    """One tenant, as a document and as a row."""
    newest = versions[-1]
    payload = next((count for count in counts if count.purpose == _PAYLOAD), None)
    ends = payload.next_destroy if payload else None
    has_today = payload is not None and payload.newest == (datetime.now(UTC) - _EPOCH).days
    document: dict[str, Json] = {
        "tenant": tenant_id,
        "versions": [_version(key, roots) for key in versions],
        "keys": {count.purpose.value: _count(count) for count in counts},
        "has_todays_key": has_today,
        "next_end": ends,
    }
    others = ", ".join(f"{count.purpose.value} {count.newest}" for count in counts if count is not payload)
    numbers = (payload.live, payload.destroyed, payload.held, payload.overdue) if payload else (0, 0, 0, 0)
    state = f"version {newest.version}" if newest.wrapped is not None else "destroyed"
    return document, (tenant_id, state, roots.get(newest.kid), *numbers, has_today, ends, others)


def _version(key: "StoredTenantKey", roots: Mapping[bytes, int | None]) -> dict[str, Json]:
    return {
        "version": key.version,
        "key": key.kid.hex(),
        "destroyed": key.wrapped is None,
        "root_version": roots.get(key.kid),
    }


def _count(count: "KeyCount") -> dict[str, Json]:
    return {
        "live": count.live,
        "destroyed": count.destroyed,
        "held": count.held,
        "overdue": count.overdue,
        "newest": count.newest,
    }


def _held(key: "StoredDataKey") -> dict[str, Json]:
    return {
        "tenant": key.tenant_id,
        "key": key.kid.hex(),
        "day": _day(key.epoch),
        "destroy_at": key.destroy_at,
        "held_at": key.held_at,
    }


def _day(epoch: int) -> str:
    return (_EPOCH + timedelta(days=epoch)).date().isoformat()


def _status_picture(
    newest_root: int | None, rows: Sequence[Sequence[object]], held: "Sequence[StoredDataKey]"
) -> "Callable[[], RenderableType]":
    title = f"keys of {len(rows)} tenants, root key version {shown(newest_root)}"
    drawn = table(title, _COLUMNS, rows)
    if not held:
        return drawn
    columns = ("tenant", "key", "of", "its end was", "held since")
    waiting = table(
        f"{len(held)} keys are held: open executions need them",
        columns,
        [(key.tenant_id, key.kid.hex(), _day(key.epoch), key.destroy_at, key.held_at) for key in held],
    )

    def draw() -> "RenderableType":
        from rich.console import Group

        return Group(drawn(), waiting())

    return draw


def proved_report(proved: "Sequence[Proved]", samples: "Mapping[UUID, Sequence[Sample]]") -> Report:
    """`keys verify`."""
    faults: list[dict[str, Json]] = [
        {
            "tenant": fault.tenant_id,
            "key": fault.kid.hex(),
            "purpose": fault.purpose,
            "number": fault.number,
            "code": fault.code,
        }
        for each in proved
        for fault in each.faults
    ]
    faults += [
        _row_fault(tenant_id, row) for tenant_id, rows in samples.items() for row in rows if row.code is not None
    ]
    opened = sum(each.opened for each in proved)
    rows = sum(row.code is None for found in samples.values() for row in found)
    document: dict[str, Json] = {"tenants": len(proved), "keys": opened, "rows": rows, "faults": faults}
    facts = {"tenants": len(proved), "keys that open": opened, "rows that open": rows}
    if not faults:
        return Report(document, card("all keys open", facts))
    columns = ("tenant", "key", "purpose", "number", "code")
    title = f"{len(faults)} do not open; {opened} keys and {rows} rows do"
    return Report(document, table(title, columns, [tuple(each.values()) for each in faults]), exit_code=FAULTY)


def _row_fault(tenant_id: "UUID", row: "Sample") -> dict[str, Json]:
    return {"tenant": tenant_id, "key": row.kid.hex(), "purpose": f"{row.kind} row", "number": None, "code": row.code}


def plan_lines(judged: "Sequence[JudgedKeys]") -> list[str]:
    """What `keys destroy-expired` would do."""
    destroy = [ref for batch in judged for ref in batch.destroy]
    hold = [ref for batch in judged for ref in batch.hold]
    tenants = len({ref.tenant_id for ref in destroy})
    return [
        f"destroys {len(destroy)} payload keys of {tenants} tenants for ever, and what they sealed with them",
        f"holds {len(hold)} payload keys from now on: open executions need them",
    ]


def ended_report(destroyed: int, held: int) -> Report:
    """`keys destroy-expired`."""
    return Report({"destroyed": destroyed, "held": held}, card("keys ended", {"destroyed": destroyed, "held": held}))
