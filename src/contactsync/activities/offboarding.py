"""The activities of an offboarding. Each may run twice; each answers the same then."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from temporalio import activity

from contactsync.activities.certificate import certificate_of, destroyed_keys, digest_of
from contactsync.activities.executions import Executions
from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.offboarding_messages import (
    CERTIFY,
    DELETE_EXECUTIONS,
    DELETE_ROWS,
    DESTROY_KEYS,
    DISABLE_TENANT,
    ENABLE_TENANT,
    STOP_WORKFLOWS,
    Certify,
    DisableTenant,
    Found,
    OffboardRef,
    OffboardStep,
    OffboardTicket,
)
from contactsync.activities.store.guard import WORKER
from contactsync.activities.store.offboarding import Offboardings
from contactsync.codecs.audit.signing import audit_signer
from contactsync.codecs.keys.cache import DEFAULT_LIMITS, CacheLimits
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import OffboardingNotFound


@dataclass(frozen=True, slots=True)
class Offboarding:
    """What these activities work with. `backups`: how old a backup of the key store gets; `caches`: how long keys stay
    in a process's memory."""

    offboardings: Offboardings
    ring: KeyRing
    backups: timedelta
    caches: CacheLimits = DEFAULT_LIMITS

    @activity.defn(name=DISABLE_TENANT)
    async def disable_tenant(self, request: DisableTenant) -> OffboardTicket:
        """Let nothing new begin for the tenant.

        Raises:
            TenantNotFound, StalePass, DatabaseError.
        """
        opened = await self.offboardings.disable(
            request.tenant_id, request.opening_id, request.quarantine_seconds, request.actor
        )
        return OffboardTicket(
            quarantine_until=opened.quarantine_until.timestamp(), decided=opened.decided_at is not None
        )

    @activity.defn(name=ENABLE_TENANT)
    async def enable_tenant(self, request: OffboardStep) -> None:
        """Undo it.

        Raises:
            TenantDisabled, StalePass, DatabaseError.
        """
        await self.offboardings.enable(request.tenant_id, request.actor, request.opening_id)

    @activity.defn(name=STOP_WORKFLOWS)
    async def stop_workflows(self, request: OffboardRef) -> Found:
        """Terminate the tenant's workflows; what they had committed stays, and so does each connection's place.

        Raises:
            StalePass: another run works on it, or it was cancelled; nothing was stopped.
            TemporalError, DatabaseError.
        """
        async with heartbeating():
            await self.offboardings.check(request.tenant_id, request.opening_id)
            known = await self.offboardings.workflows(request.tenant_id)
            return Found(executions=await _executions(request).stop(known))

    @activity.defn(name=DESTROY_KEYS)
    async def destroy_keys(self, request: OffboardStep) -> None:
        """Pass the point of no return, then destroy every key of the tenant.

        Raises:
            StalePass: another run works on it, or it was cancelled; no key was destroyed.
            DatabaseError.
        """
        await self.offboardings.decide(request.tenant_id, request.opening_id, request.actor)
        await self._destroy(request.tenant_id)

    @activity.defn(name=DELETE_ROWS)
    async def delete_rows(self, request: OffboardRef) -> None:
        """Delete all rows of the tenant, a batch at a time.

        Raises:
            DatabaseError; `DatabaseRefused` where its end is not decided.
        """
        async with heartbeating():
            await self._delete_rows(request.tenant_id)

    @activity.defn(name=DELETE_EXECUTIONS)
    async def delete_executions(self, request: OffboardRef) -> Found:
        """Have Temporal forget the tenant's executions; ask again until none is found.

        Raises:
            TemporalError, DatabaseError.
        """
        async with heartbeating():
            executions = _executions(request)
            await self.offboardings.count_executions(request.tenant_id, await executions.count())
            return await executions.delete()

    @activity.defn(name=CERTIFY)
    async def certify(self, request: Certify) -> None:
        """Look once more that nothing is left, and issue the certificate; one that was issued stays.

        Raises:
            OffboardingNotFound: its end is not decided; nothing was done.
            KeysError, DatabaseError.
        """
        async with heartbeating():
            await self._destroy(request.tenant_id)
            await self._delete_rows(request.tenant_id)
            await self._issue(request)

    async def _destroy(self, tenant_id: UUID) -> None:
        """Destroy the keys of a tenant whose end is decided, and of no other."""
        found = await self.offboardings.find(tenant_id)
        if found is None or found.decided_at is None:
            raise OffboardingNotFound("the end of this tenant is not decided; no key was destroyed")
        keys = await self.ring.destroy_tenant(tenant_id)
        await self.offboardings.record_destroyed(tenant_id, keys, WORKER)

    async def _delete_rows(self, tenant_id: UUID) -> None:
        while await self.offboardings.delete_batch(tenant_id):
            pass

    async def _issue(self, request: Certify) -> None:
        done = await self.offboardings.find(request.tenant_id)
        if done is None:
            raise OffboardingNotFound
        certificate = certificate_of(
            done,
            await self.offboardings.log_head(request.tenant_id),
            await destroyed_keys(self.ring.store, request.tenant_id),
            namespace=activity.client().namespace,
            executions_left=request.executions_left,
            backups=self.backups,
            caches=self.caches,
        )
        note = certificate.signed(audit_signer(await self.ring.audit_key()))
        await self.offboardings.issue(request.tenant_id, note, certificate.issued_at, digest_of(note), request.actor)


def _executions(request: OffboardRef) -> Executions:
    return Executions(activity.client(), request.tenant_id)
