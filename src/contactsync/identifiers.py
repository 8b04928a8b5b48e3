"""Workflow ids, and the tenant inside them. Ids hold random UUIDs only, never a person or a name."""

import re
from functools import lru_cache
from typing import Final
from uuid import UUID

from contactsync.errors import SealRefused

PLATFORM_TENANT: Final = UUID(int=0)
"""The tenant of workflows about the platform itself (the nil UUID, RFC 9562 §5.9); it has keys like any other."""

WORKFLOW_KINDS: Final = frozenset({"sync", "backfill", "erase", "export", "rotate", "platform"})

_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_JOB: Final = "[a-z]{1,20}(?:-[a-z]{1,20}){0,4}"
_RUN_OF_SCHEDULE: Final = r"(?:-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?"
_WORKFLOW_ID: Final = re.compile(
    rf"(?:(?!platform)[a-z]{{1,20}}/{_UUID}(?:/{_UUID})?(?:/\d{{1,10}})?|platform/{PLATFORM_TENANT}/{_JOB}(?:/{_UUID})?)"
    rf"{_RUN_OF_SCHEDULE}"
)


def is_workflow_id(text: str) -> bool:
    """Whether an id is `kind/{tenant}`, `kind/{tenant}/{uuid}`, `kind/{tenant}/{uuid}/{n}` or
    `platform/{nil}/{job}` of a known kind, with the time behind it where a schedule made it."""
    return text.partition("/")[0] in WORKFLOW_KINDS and _WORKFLOW_ID.fullmatch(text) is not None


def sync_workflow_id(tenant_id: UUID, connection_id: UUID) -> str:
    """`sync/{tenant}/{connection}`: one live sync for each connection."""
    return f"sync/{tenant_id}/{connection_id}"


def backfill_workflow_id(tenant_id: UUID, connection_id: UUID, number: int) -> str:
    """`backfill/{tenant}/{connection}/{n}`: the connection's n-th backfill."""
    return f"backfill/{tenant_id}/{connection_id}/{number}"


def platform_workflow_id(name: str) -> str:
    """`platform/{nil}/{name}`: a workflow about the platform itself, and its schedule."""
    return f"platform/{PLATFORM_TENANT}/{name}"


def rotate_workflow_id(tenant_id: UUID) -> str:
    """`rotate/{tenant}`: one rotation of a tenant's keys at a time."""
    return f"rotate/{tenant_id}"


def offboard_workflow_id(tenant_id: UUID) -> str:
    """`platform/{nil}/offboard/{tenant}`: it is the platform's, since it outlives the tenant's keys."""
    return f"{platform_workflow_id('offboard')}/{tenant_id}"


@lru_cache(maxsize=1024)
def tenant_of_workflow(workflow_id: str) -> UUID:
    """The tenant in `kind/{tenant}/…`.

    Raises:
        SealRefused: the id is of no known kind or holds no tenant, so nothing may be sealed for it.
    """
    kind, _, rest = workflow_id.partition("/")
    tenant, _, _ = rest.partition("/")
    if kind not in WORKFLOW_KINDS or len(tenant) != 36:  # a UUID as text
        raise SealRefused
    try:
        return UUID(tenant)
    except ValueError:
        raise SealRefused from None
