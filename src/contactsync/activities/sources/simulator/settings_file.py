"""The settings of a `rest` connection that reads the simulator, as a mapping and as TOML."""

import json
from collections.abc import Iterator, Mapping
from typing import Final, cast

Tables = Mapping[str, object]

_FIELDS: Final[Tables] = {
    "id": "id",
    "version": "version",
    "changed_at": "updated_at",
    "deleted": "deleted",
    "merged_into": "merged_into",
    "merged_ids": "merged_ids",
    "emails": "emails",
    "phones": "phones",
    "organizations": "company",
    "titles": "title",
    "notes": "notes",
    "name": {"given": "name.given", "surname": "name.family"},
}

_PAGINATION: Final[Mapping[str, Tables]] = {
    "cursor": {"kind": "cursor", "param": "cursor", "next": "next"},
    "page": {"kind": "page", "param": "page", "more": "has_more"},
    "offset": {"kind": "offset", "param": "offset", "more": "has_more"},
    "link": {"kind": "link"},
    "next_url": {"kind": "next_url", "next": "next_url"},
}


def rest_settings(
    url: str, paging: str = "cursor", further: Mapping[str, Tables] | None = None, *, page_size: int = 500
) -> dict[str, object]:
    """The settings for a simulator at `url`; what `further` holds of a table is added to it, or replaces it.

    Raises:
        KeyError: there is no such paging.
    """
    tables: dict[str, object] = {
        "url": f"{url}/{paging}",
        "check_path": "/me",
        "list": {
            "path": "contacts",
            "records": "records",
            "size_param": "limit",
            "page_size": page_size,
            "total": "total",
            "clock": "now",
            "pagination": _PAGINATION[paging],
        },
        "changes": {
            "path": "changes",
            "params": {"since": "{since}", "until": "{until}"},
            "at_one_instant": {"since": "{since}", "after_id": "{after_id}"},
            "format": "iso",
            "order": "time_id",
        },
        "fields": _FIELDS,
        "capabilities": {"tombstones": True, "lag_seconds": 2.0},
        "throttling": {"when": "error.code == 'rate_limit'", "daily": "error.policy == 'DAILY'"},
        "expired": {"statuses": [410], "when": "error.code == 'token_expired'"},
    }
    for name, members in (further or {}).items():
        tables[name] = {**cast("Tables", tables.get(name, {})), **members}
    return tables


def rest_toml(url: str, paging: str = "cursor") -> str:
    """The same as a TOML file."""
    return "\n".join(
        ["# reads the simulator; docs/rest.md explains the tables", *_lines(rest_settings(url, paging), ())]
    )


def _lines(table: Tables, path: tuple[str, ...]) -> Iterator[str]:
    """A table's own members, then the tables below it (TOML 1.0)."""
    for name, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
    for name, value in table.items():
        if isinstance(value, Mapping):
            below = (*path, name)
            yield f"\n[{'.'.join(below)}]"
            yield from _lines(cast("Tables", value), below)
