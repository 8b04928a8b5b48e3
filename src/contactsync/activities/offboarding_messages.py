"""The messages of `OffboardTenant` and its activities; they follow the rules of `contactsync.activities.messages`."""

from typing import Final, Literal
from uuid import UUID

from contactsync.activities.messages import Message

DISABLE_TENANT: Final = "disable_tenant"
ENABLE_TENANT: Final = "enable_tenant"
STOP_WORKFLOWS: Final = "stop_workflows"
DESTROY_KEYS: Final = "destroy_keys"
DELETE_ROWS: Final = "delete_rows"
DELETE_EXECUTIONS: Final = "delete_executions"
CERTIFY: Final = "certify"

Phase = Literal["disabling", "quarantine", "enabling", "destroying", "deleting", "closing", "certifying", "ended"]


class OffboardArgs(Message):
    """Starts `OffboardTenant`, and carries its state from run to run. `actor`: the opaque id of who asked."""

    tenant_id: UUID
    quarantine_seconds: float
    actor: str
    phase: Phase = "disabling"
    opening_id: UUID | None = None
    quarantine_until: float | None = None  # seconds since the epoch
    decided_by: str | None = None  # the opaque id of who approved or cancelled
    cancelled: bool = False
    executions_left: int = 0


class OffboardRef(Message):
    """Names an offboarding and the workflow that works on it."""

    tenant_id: UUID
    opening_id: UUID


class DisableTenant(OffboardRef):
    """Disables a tenant; a quarantine that is under way goes on."""

    quarantine_seconds: float
    actor: str


class OffboardTicket(Message):
    """An offboarding that was opened. `decided`: the point of no return was passed by an earlier workflow."""

    quarantine_until: float
    decided: bool = False


class OffboardStep(OffboardRef):
    """A step that is in the audit log with its `actor`."""

    actor: str


class Certify(OffboardStep):
    """Issues the certificate; `executions_left`: those that Temporal would not delete."""

    executions_left: int = 0


class Found(Message):
    """How many workflow executions a round found; `refused`: Temporal does not let us delete them."""

    executions: int
    refused: bool = False


class OffboardDecision(Message):
    """The argument of the updates `approve` and `cancel`: the opaque id of who decides."""

    actor: str


class OffboardProgress(Message):
    """The answer to the query `progress`, and to the updates."""

    phase: Phase
    quarantine_until: float | None = None
    approved: bool = False
    cancelled: bool = False


class OffboardResult(Message):
    """A finished offboarding."""

    outcome: Literal["completed", "cancelled"]
