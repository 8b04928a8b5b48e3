"""Large sealed payloads kept in PostgreSQL instead of Temporal's history, by the SDK's external storage (experimental).

Only what is sealed is ever stored, and what comes back is opened like any other payload. In the history stands a
reference: tenant, number, and a digest of the ciphertext, so that an object that was altered or put in another's place
is refused. An object stays for as long as its run may be replayed: a worker that has forgotten a workflow reads its
whole history again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final
from uuid import UUID, uuid4

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ExternalStorage,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverSelectContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)

from contactsync.codecs.payloads.sealed import is_sealed
from contactsync.errors import OpenRefused, SealRefused
from contactsync.identifiers import tenant_of_workflow
from contactsync.postgres import Database, load_queries

NAME: Final = "contactsync"
"""The driver's name, which stands in every reference."""

_SQL: Final = load_queries("contactsync.codecs.payloads", "staging.sql")
_TENANT: Final = "tenant"
_OBJECT: Final = "object"
_DIGEST: Final = "digest"


@dataclass(frozen=True, slots=True)
class StagedRun:
    """A run of a workflow that has staged payloads."""

    tenant_id: UUID
    workflow_id: str
    run_id: UUID


class Stage(StorageDriver):
    """The table `contactsync.staged_payload`."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def storage(self, from_bytes: int) -> ExternalStorage:
        """The SDK's setting: sealed payloads of a run go here from so many bytes on."""
        return ExternalStorage([self], driver_selector=self._select, payload_size_threshold=from_bytes)

    def name(self) -> str:
        """See `StorageDriver`."""
        return NAME

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Keep payloads; once is enough, and twice does no harm.

        Raises:
            SealRefused: one is not sealed, or it is for no run of a workflow.
            DatabaseError.
        """
        run = _run_of(context.target)
        if run is None or not all(is_sealed(payload) for payload in payloads):
            raise SealRefused
        blobs = [payload.SerializeToString(deterministic=True) for payload in payloads]
        numbers = [uuid4() for _ in blobs]
        async with self._database.transaction(run.tenant_id) as connection:
            await connection.execute(_SQL["stage"], run.tenant_id, run.workflow_id, run.run_id, numbers, blobs)
        return [_claim(run.tenant_id, number, blob) for number, blob in zip(numbers, blobs, strict=True)]

    async def retrieve(
        self,
        context: StorageDriverRetrieveContext,  # noqa: ARG002  # it says nothing; the claim does
        claims: Sequence[StorageDriverClaim],
    ) -> list[Payload]:
        """What was kept.

        Raises:
            OpenRefused: one is gone, altered, or never was; it does not say which.
            DatabaseError.
        """
        wanted = [_reference(claim) for claim in claims]
        found: dict[UUID, bytes] = {}
        for tenant_id in {reference.tenant_id for reference in wanted}:
            found |= await self._found(tenant_id, [each.number for each in wanted if each.tenant_id == tenant_id])
        return [_checked(reference, found.get(reference.number)) for reference in wanted]

    async def drop_earlier_runs(self, run: StagedRun) -> None:
        """Delete what earlier runs of the workflow staged: none of them is read again."""
        async with self._database.transaction(run.tenant_id) as connection:
            await connection.execute(_SQL["drop_earlier_runs"], run.tenant_id, run.workflow_id, run.run_id)

    async def drop_run(self, run: StagedRun) -> int:
        """Delete what a run staged that has ended; answers how many objects there were."""
        async with self._database.transaction(run.tenant_id) as connection:
            return len(await connection.fetch(_SQL["drop_run"], run.tenant_id, run.run_id))

    async def runs(self, after: StagedRun | None, *, quiet_seconds: float, limit: int) -> list[StagedRun]:
        """Runs that have staged something, but nothing for so long, in their order."""
        place = (after.tenant_id, after.run_id) if after else (UUID(int=0), UUID(int=0))
        async with self._database.transaction(directory=True) as connection:
            rows = await connection.fetch(_SQL["runs"], *place, quiet_seconds, limit)
        return [StagedRun(row["tenant_id"], row["workflow_id"], row["run_id"]) for row in rows]

    async def _found(self, tenant_id: UUID, numbers: Sequence[UUID]) -> dict[UUID, bytes]:
        async with self._database.transaction(tenant_id) as connection:
            rows = await connection.fetch(_SQL["staged"], tenant_id, numbers)
        return {row["object_id"]: row["payload"] for row in rows}

    def _select(self, context: StorageDriverSelectContext, payload: Payload) -> StorageDriver | None:
        """Only what is sealed, and belongs to a run; all else stays in the history."""
        return self if is_sealed(payload) and _run_of(context.target) is not None else None


@dataclass(frozen=True, slots=True)
class _Reference:
    tenant_id: UUID
    number: UUID
    digest: str


def _run_of(target: object) -> StagedRun | None:
    if not isinstance(target, StorageDriverWorkflowInfo) or not target.id or not target.run_id:
        return None
    return StagedRun(tenant_of_workflow(target.id), target.id, UUID(target.run_id))


def _claim(tenant_id: UUID, number: UUID, blob: bytes) -> StorageDriverClaim:
    return StorageDriverClaim({_TENANT: str(tenant_id), _OBJECT: str(number), _DIGEST: _digest(blob)})


def _reference(claim: StorageDriverClaim) -> _Reference:
    data = claim.claim_data
    try:
        return _Reference(UUID(data[_TENANT]), UUID(data[_OBJECT]), data[_DIGEST])
    except (KeyError, ValueError):
        raise OpenRefused from None


def _checked(reference: _Reference, blob: bytes | None) -> Payload:
    if blob is None or not compare_digest(_digest(blob).encode(), reference.digest.encode()):
        raise OpenRefused
    try:
        return Payload.FromString(blob)
    except DecodeError:
        raise OpenRefused from None


def _digest(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()
