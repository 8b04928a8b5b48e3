"""`contactsync audit …`: whether the audit log is sound, who read what, and a copy of it to take away."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO
from uuid import UUID

import typer

from contactsync.errors import ContactNotFound, TenantNotFound
from contactsync.workers.cli.options import JsonFlag, TenantArgument, parse_when
from contactsync.workers.cli.output import Json, Report, card, table
from contactsync.workers.cli.references import pick, whole_id
from contactsync.workers.cli.running import actor, open_parts, show

if TYPE_CHECKING:
    from contactsync.codecs.audit.chain import Verdict
    from contactsync.codecs.audit.signing import VerifierKey
    from contactsync.workers.bootstrap import Parts

audit = typer.Typer(help="Check the audit log, read it, take a copy of it.", no_args_is_help=True)

ALTERED = 2
INCOMPLETE = 3
_EXIT_CODES: Mapping[str, int] = {"sound": 0, "altered": ALTERED, "incomplete": INCOMPLETE}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(audit, name="audit")


@audit.command("verify")
def verify(  # noqa: PLR0917  # typer passes them by name
    tenant: Annotated[
        str | None, typer.Argument(metavar="[TENANT]", help="The tenant's id, or the start of it; nil: the platform.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every log there is.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="EXPORT", help="An export; no database and no key is needed.")
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option("--checkpoints", metavar="FILE", help="Checkpoints kept elsewhere: log lines, or notes."),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="With --file: the public key that `audit key` printed.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Recompute a tenant's log and compare it with its checkpoints: 0 sound, 2 altered, 3 incomplete."""
    if sum((tenant is not None, everything, file is not None)) != 1:
        raise typer.BadParameter("give a tenant, --all, or --file")
    if key is not None and file is None:
        raise typer.BadParameter("only an export is checked with a key that is given", param_hint="--key")
    notes = _notes(checkpoints)
    show(verify_export(file, key, notes) if file else verify_logs(tenant, notes), as_json=as_json)


@audit.command("export")
def export(
    tenant: TenantArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; nothing may be there yet.")],
    since: Annotated[str | None, typer.Option("--from", metavar="WHEN", help="Only entries since then.")] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="WHEN", help="Only entries before then, and up to a checkpoint.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a tenant's log with its checkpoints to FILE, for `audit verify --file`; that is audited too."""
    show(write_export(tenant, file, _when(since), _when(until)), as_json=as_json)


@audit.command("who-read")
def who_read(
    tenant: TenantArgument,
    contact: Annotated[
        str | None, typer.Option("--contact", metavar="ID", help="Only what may have shown this contact: its id.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="WHEN", help="Only since then.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List who opened a tenant's contacts or payloads, when, why, and how they were shown; the question is audited."""
    show(list_readers(tenant, contact, _when(since)), as_json=as_json)


@audit.command("key")
def key_(as_json: JsonFlag = False) -> None:
    """Print the public key of checkpoints and certificates; keep it where the database's owners cannot change it."""
    show(show_key(), as_json=as_json)


def _when(text: str | None) -> datetime | None:
    return parse_when(text, datetime.now(UTC)) if text is not None else None


def _notes(file: Path | None) -> list[str]:
    from contactsync.codecs.audit.checkpoints import notes_in

    if file is None:
        return []
    try:
        notes = notes_in(file.read_text("utf-8", "replace"))
    except OSError:
        raise typer.BadParameter("this file cannot be read", param_hint="--checkpoints") from None
    if not notes:
        raise typer.BadParameter("there is no checkpoint in this file", param_hint="--checkpoints")
    return notes


async def verify_logs(reference: str | None, notes: Sequence[str]) -> Report:
    """Check one log, or all."""
    async with open_parts() as parts:
        tenants = {each.tenant_id for each in await parts.directory.list_tenants()}
        known = sorted({*tenants, *await parts.audit_logs.logs()})
        chosen = known if reference is None else [pick(reference, known, TenantNotFound)]
        verdicts = {each: await parts.audit_logs.verify(each, notes, expected=each in tenants) for each in chosen}
        verifier = (await parts.audit_logs.signer()).verifier
    return _report([_document(each, verdict) for each, verdict in verdicts.items()], verifier, key_is="ours")


async def verify_export(file: Path, key: str | None, notes: Sequence[str]) -> Report:
    """Check an export."""
    from contactsync.codecs.audit.exporting import check_export
    from contactsync.codecs.audit.signing import VerifierKey

    verifier = VerifierKey.parse(key) if key is not None else None
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            found = check_export(lines, verifier, notes)
    except OSError:
        raise typer.BadParameter("this file cannot be read", param_hint="--file") from None
    document = {**_document(found.tenant_id, found.verdict), "first": found.first}
    return _report([document], found.verifier, key_is="given" if key is not None else "of the export itself")


def _report(logs: Sequence[Mapping[str, Json]], verifier: "VerifierKey", *, key_is: str) -> Report:
    found = {str(each["soundness"]) for each in logs}
    worst = next((each for each in ("altered", "incomplete") if each in found), "sound")
    columns = ("tenant", "verdict", "entries", "signed", "flaw")
    rows = [(each["tenant"], each["soundness"], each["entries"], each["signed"], each["flaw"]) for each in logs]
    return Report(
        {"soundness": worst, "logs": logs, "key": verifier.text, "key_is": key_is},
        table(f"{worst}; the key is {key_is}", columns, rows),
        exit_code=_EXIT_CODES[worst],
    )


def _document(tenant_id: UUID, verdict: "Verdict") -> dict[str, Json]:
    return {
        "tenant": tenant_id,
        "soundness": verdict.soundness.value,
        "entries": verdict.entries,
        "signed": verdict.signed,
        "head": verdict.head.hex(),
        "flaw": verdict.flaw.value if verdict.flaw else None,
    }


async def write_export(reference: str, file: Path, since: datetime | None, until: datetime | None) -> Report:
    """Sign the log as it is, and write it, or a part of it, to a new file of our own."""
    from contactsync.codecs.audit.exporting import export as exported
    from contactsync.codecs.audit.log import AuditKind

    async with open_parts() as parts:
        tenant_id = await _find_log(parts, reference)
        with _new_file(file) as out:
            detail = {name: time.isoformat() for name, time in (("since", since), ("until", until)) if time is not None}
            await parts.audit_logs.record(tenant_id, AuditKind.AUDIT_EXPORTED, actor(), detail)
            signed = await parts.audit_logs.sign(tenant_id)
            async for line in exported(parts.audit_logs, tenant_id, since, until):
                out.write(line + "\n")
        key = (await parts.audit_logs.signer()).verifier.text
    flaw = signed.verdict.flaw
    facts = {"file": str(file), "tenant": str(tenant_id), "key": key, "flaw": flaw.value if flaw else None}
    return Report(facts, card("audit log exported", facts))


def _new_file(file: Path) -> TextIO:
    """A file for its owner only, that was not there.

    Raises:
        typer.BadParameter: it is there, or cannot be made.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        raise typer.BadParameter("this file is there already, or cannot be made", param_hint="FILE") from None
    return os.fdopen(descriptor, "w", encoding="utf-8")


async def list_readers(reference: str, contact: str | None, since: datetime | None) -> Report:
    """Who read, the latest last."""
    from contactsync.codecs.audit.log import AuditKind
    from contactsync.codecs.audit.readers import READINGS, readings_of

    contact_id = whole_id(contact.strip()) if contact is not None else None
    if contact is not None and contact_id is None:
        raise ContactNotFound("give the contact's whole id")
    async with open_parts() as parts:
        tenant_id = await _find_log(parts, reference)
        detail = {"contact": str(contact_id)} if contact_id else {}
        await parts.audit_logs.record(tenant_id, AuditKind.AUDIT_READ, actor(), detail)
        entries = await parts.audit_logs.entries(tenant_id, READINGS, since)
    found = readings_of(entries, contact_id)
    rows = [(each.at, each.actor, each.kind, each.shown, each.count, each.certainty, each.reason) for each in found]
    return Report(
        {"readings": [each.document() for each in found]},
        table(f"{len(found)} readings", ("when", "who", "what", "shown", "count", "this contact", "why"), rows),
    )


async def _find_log(parts: "Parts", reference: str) -> UUID:
    """The tenant whose log is meant, whether the tenant is still there or not."""
    tenants: Iterable[UUID] = (each.tenant_id for each in await parts.directory.list_tenants())
    return pick(reference, {*tenants, *await parts.audit_logs.logs()}, TenantNotFound)


async def show_key() -> Report:
    async with open_parts() as parts:
        verifier = (await parts.audit_logs.signer()).verifier
    return Report(
        {"key": verifier.text, "public": verifier.public.hex()},
        card("public key of checkpoints and certificates", {"key": verifier.text}),
    )
