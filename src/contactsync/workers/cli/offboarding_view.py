"""What is shown of an offboarding and its certificate."""

from typing import TYPE_CHECKING

from contactsync.errors import OffboardingNotFound
from contactsync.workers.cli.output import Json, Report, at, card

if TYPE_CHECKING:
    from uuid import UUID

    from contactsync.activities.certificate import Certificate
    from contactsync.activities.offboarding_messages import OffboardProgress
    from contactsync.activities.store.offboarding import Offboarding
    from contactsync.workers.bootstrap import Parts
    from contactsync.workers.offboards import Offboards

_LEFT = {
    "caches": "keys in the memory of running processes",
    "key_store_backups": "backups of the key store",
    "data_backups": "backups of the data: noise, keyed indexes, random ids, times",
    "audit_log": "the audit log: ids, counts, codes, times",
    "tenant_row": "the tenant's id and dates",
    "temporal_histories": "executions that Temporal would not delete: noise, ids, times",
}


async def status_report(parts: "Parts", runs: "Offboards", tenant_id: "UUID") -> Report:
    """How far it is, by the database and, where it runs, by its workflow.

    Raises:
        OffboardingNotFound: it never began.
    """
    condition = await runs.condition(tenant_id)
    progress = await runs.progress(tenant_id) if condition.running else None
    found = await parts.offboardings.find(tenant_id)
    if found is None and not condition.running:
        raise OffboardingNotFound
    certified = await parts.offboardings.certificate(tenant_id) is not None
    document: dict[str, Json] = {
        "tenant": tenant_id,
        "state": _state(found, progress, certified=certified),
        "quarantine_until": _quarantine(found, progress),
        "decided_at": found.decided_at if found else None,
        "effective_at": found.effective_at if found else None,
        "deleted": found.deleted if found else {},
        "executions": found.executions if found else None,
        "certificate": certified,
        "running": condition.running,
        "failing": condition.trouble.code if condition.trouble else None,
    }
    facts = {name.replace("_", " "): value for name, value in document.items() if name != "deleted"}
    return Report({"offboarding": document}, card("offboarding", facts | {"rows deleted": _sum(found)}))


async def certificate_report(parts: "Parts", note: str) -> Report:
    """The certificate that a note holds.

    Raises:
        NoteRefused: this installation did not sign it, or it was altered.
    """
    from contactsync.activities.certificate import read_certificate
    from contactsync.codecs.audit.signing import audit_signer

    verifier = audit_signer(await parts.ring.audit_key()).verifier
    read = read_certificate(note, [verifier])
    return Report(
        {"certificate": read.model_dump(mode="json"), "note": note, "verifier": verifier.text},
        card("certificate of an offboarding", _facts(read) | {"key": verifier.text}),
    )


def _state(found: "Offboarding | None", progress: "OffboardProgress | None", *, certified: bool) -> str:
    if progress is not None:
        return progress.phase
    if certified:
        return "completed"
    return found.state if found else "starting"


def _quarantine(found: "Offboarding | None", progress: "OffboardProgress | None") -> Json:
    if found is not None:
        return found.quarantine_until
    return at(progress.quarantine_until) if progress else None


def _sum(found: "Offboarding | None") -> int | None:
    return sum(found.deleted.values()) if found and found.deleted else None


def _facts(read: "Certificate") -> dict[str, object]:
    left = [
        f"{_LEFT.get(each.what, each.what)}{f', until {each.until:%Y-%m-%d}' if each.until else ''}"
        for each in read.residuals
    ]
    return {
        "tenant": read.tenant,
        "requested": read.requested_at,
        "decided": read.decided_at,
        "keys gone from the live store": read.effective_at,
        "no backup of them after": read.final_at,
        "keys": sum(map(len, read.keys.values())),
        "rows": sum(read.rows.values()),
        "executions": read.executions,
        "issued": read.issued_at,
        "what is left": "\n".join(left),
    }
