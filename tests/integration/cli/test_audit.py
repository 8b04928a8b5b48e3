"""`contactsync audit`, on a site, and offline on what it wrote."""

import json
import stat
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
import typer
from structlog.testing import capture_logs
from tests.integration.cli.running import Site, printed

from contactsync.codecs.audit.checkpoints import notes_in
from contactsync.codecs.audit.log import AuditKind
from contactsync.errors import TenantNotFound
from contactsync.identifiers import PLATFORM_TENANT, platform_workflow_id
from contactsync.workers.cli.audit import list_readers, show_key, verify_export, verify_logs, write_export
from contactsync.workers.cli.main import run_command
from contactsync.workers.cli.watch import LATE, look_once
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workflows.checkpoint_logs import CheckpointLogs


async def tamper(urls: DatabaseUrls, tenant: UUID, *statements: str) -> None:
    """Change a tenant's log ($1) as a superuser can."""
    owner = await asyncpg.connect(urls.owner)
    try:
        for table in ("entry", "checkpoint"):
            await owner.execute(f"ALTER TABLE audit.{table} DISABLE TRIGGER ALL, NO FORCE ROW LEVEL SECURITY")
        for statement in statements:
            await owner.execute(statement, tenant)
    finally:
        await owner.close()


async def checkpointed(site: Site) -> tuple[list[str], list[tuple[str, str]]]:
    """Run the workflow that the schedule starts; answers the checkpoints that were printed, and which tenants' logs
    were called unsound and why."""
    with capture_logs() as lines:
        async with site.worker():
            made = await site.syncs.client.execute_workflow(
                CheckpointLogs.run,
                id=f"{platform_workflow_id('checkpoint-logs')}/{uuid4()}",
                task_queue=site.settings.task_queue,
            )
    notes = [str(line["checkpoint"]) for line in lines if line["event"] == "audit checkpoint"]
    unsound = [(str(line["tenant_id"]), str(line["reason"])) for line in lines if line["log_level"] == "error"]
    assert (made.made, made.unsound) == (len(notes), len(unsound))
    return notes, unsound


async def test_from_the_workflow_to_the_verdict(site: Site, database_urls: DatabaseUrls, tmp_path: Path) -> None:
    """Checkpoints are signed and printed by the clock's workflow, once; with a copy of them a log that was cut and
    signed nowhere is found out, whatever else is in the database."""
    await site.parts.ring.create_tenant(PLATFORM_TENANT)
    tenant, other = await site.tenant(), await site.tenant()
    await site.parts.audit_logs.record(tenant, AuditKind.AUDIT_READ, "cli/1", {})
    notes, _ = await checkpointed(site)
    assert {note.partition("\n")[0][-36:] for note in notes} == {str(each) for each in (PLATFORM_TENANT, tenant, other)}
    assert await checkpointed(site) == ([], [])
    copies = tmp_path / "worker.log"
    copies.write_text("".join(json.dumps({"event": "audit checkpoint", "checkpoint": each}) + "\n" for each in notes))
    sound = printed(await verify_logs(None, notes_in(copies.read_text())))
    assert (sound["soundness"], {each["tenant"] for each in sound["logs"]}) == (
        "sound",
        {str(PLATFORM_TENANT), str(tenant), str(other)},
    )
    await tamper(
        database_urls,
        tenant,
        "DELETE FROM audit.entry WHERE tenant_id = $1 AND seq > 4",
        "DELETE FROM audit.checkpoint WHERE tenant_id = $1",
        "UPDATE audit.chain SET entries = 4, checkpointed = 0 WHERE tenant_id = $1",
    )
    assert (await verify_logs(str(tenant), [])).exit_code == 0
    report = await verify_logs(str(tenant), notes)
    assert (report.exit_code, printed(report)["logs"][0]["flaw"]) == (3, "tail_missing")


async def test_the_watch_tells_of_a_log_that_is_not_sound(site: Site, database_urls: DatabaseUrls) -> None:
    """What the checkpoints' workflow finds is a problem with exit code 1, until a check of the whole log takes it away;
    what only a copy shows stays until a check with copies does."""
    await site.parts.ring.create_tenant(PLATFORM_TENANT)
    tenant = await site.tenant()
    notes, _ = await checkpointed(site)
    assert (await look_once()).exit_code == 0
    await site.parts.audit_logs.record(tenant, AuditKind.AUDIT_READ, "cli/1", {})
    is_due = "UPDATE audit.chain SET checkpointed_at = NULL WHERE tenant_id = $1"
    changed = "UPDATE audit.entry SET entry = replace(entry, '{a}', '{b}') WHERE tenant_id = $1 AND seq > 1"
    await tamper(database_urls, tenant, is_due, changed.format(a="cli/1", b="cli/2"))
    assert (await checkpointed(site))[1] == [(str(tenant), "entry_altered")]
    report = await look_once()
    [flawed] = printed(report)["audit"]
    assert (report.exit_code, flawed["tenant"], flawed["flaw"]) == (LATE, str(tenant), "entry_altered")
    await tamper(database_urls, tenant, changed.format(a="cli/2", b="cli/1"))
    assert (await look_once()).exit_code == LATE
    assert (await verify_logs(str(tenant), [])).exit_code == 0
    assert (await look_once()).exit_code == 0
    await tamper(
        database_urls,
        tenant,
        "DELETE FROM audit.checkpoint WHERE tenant_id = $1",
        "DELETE FROM audit.entry WHERE tenant_id = $1",
        "UPDATE audit.chain SET entries = 1, checkpointed = 0 WHERE tenant_id = $1",
    )
    await site.parts.audit_logs.record(tenant, AuditKind.AUDIT_READ, "cli/1", {})
    assert (await verify_logs(str(tenant), notes)).exit_code != 0
    assert (await verify_logs(str(tenant), [])).exit_code == 0
    assert [each["tenant"] for each in printed(await look_once())["audit"]] == [str(tenant)]


async def test_exit_codes_of_a_verdict(site: Site, database_urls: DatabaseUrls) -> None:
    """0 sound, 2 altered, 3 incomplete, the worst of all logs counts; a tenant whose log is gone is missed."""
    tenant, other = await site.tenant(), await site.tenant()
    assert (await verify_logs(str(tenant)[:8], [])).exit_code == 0
    await tamper(
        database_urls,
        other,
        "DELETE FROM audit.entry WHERE tenant_id = $1",
        "DELETE FROM audit.chain WHERE tenant_id = $1",
    )
    assert (await verify_logs(str(other), [])).exit_code == 3
    await tamper(database_urls, tenant, "UPDATE audit.entry SET entry = 'x' WHERE tenant_id = $1")
    report = await verify_logs(None, [])
    assert (report.exit_code, printed(report)["soundness"]) == (2, "altered")
    with pytest.raises(TenantNotFound):
        await verify_logs(str(uuid4()), [])


async def test_a_log_that_is_not_sound_is_told_and_not_signed(site: Site, database_urls: DatabaseUrls) -> None:
    """The worker's log has an error, and the others get their checkpoints."""
    await site.parts.ring.create_tenant(PLATFORM_TENANT)
    broken, fine = await site.tenant(), await site.tenant()
    await tamper(database_urls, broken, "UPDATE audit.entry SET entry = 'x' WHERE tenant_id = $1")
    notes, unsound = await checkpointed(site)
    assert {note.partition("\n")[0][-36:] for note in notes} == {str(PLATFORM_TENANT), str(fine)}
    assert await site.parts.audit_logs.notes(broken) == ()
    assert unsound == [(str(broken), "entry_altered")]


async def test_an_export_is_checked_without_database_and_keys(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is its owner's, holds the export's own entry, and any machine checks it with the public key."""
    tenant, file = await site.tenant(), tmp_path / "log.jsonl"
    written = printed(await write_export(str(tenant), file, None, None))
    key = printed(await show_key())["key"]
    assert written["key"] == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(typer.BadParameter):
        await write_export(str(tenant), file, None, None)
    for name in ("DATABASE_URL", "ROOT_KEY_FILE"):
        monkeypatch.delenv(f"CONTACTSYNC_{name}")
    found = printed(await verify_export(file, key, []))
    assert found["logs"] == [
        {"tenant": str(tenant), "soundness": "sound", "entries": 6, "signed": 6, "flaw": None, "first": 1}
        | {"head": found["logs"][0]["head"]}
    ]
    assert AuditKind.AUDIT_EXPORTED in file.read_text()
    file.write_text(file.read_text().replace("tenant_added", "tenant_taken"))
    capsys.readouterr()
    assert (await verify_export(file, key, [])).exit_code == 2


def test_what_verify_asks_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log, all logs, or a file, and a key only with a file; files must be there and hold what they should."""
    (empty := tmp_path / "empty").write_text("nothing\n")
    missing = str(tmp_path / "missing")
    for arguments in (
        [],
        ["x", "--all"],
        ["--all", "--key", "k"],
        ["--file", missing],
        ["--all", "--checkpoints", missing],
        ["--all", "--checkpoints", str(empty)],
    ):
        assert run_command(["audit", "verify", *arguments]) == 2
    assert run_command(["audit", "verify", "--file", str(empty)]) == 7
    capsys.readouterr()


async def test_who_read(site: Site) -> None:
    """Readings with who and why, those that may have shown a contact, and that the question itself is written down."""
    tenant, contact, another = await site.tenant(), uuid4(), uuid4()
    logs = site.parts.audit_logs
    for each in (contact, another):
        detail = {"contact": str(each), "contacts": 1, "reason": "OPS-1"}
        await logs.record(tenant, AuditKind.CONTACTS_OPENED, "cli/7", detail)
    await logs.record(tenant, AuditKind.PAYLOADS_OPENED, "token", {"payloads": 4, "shown": "masked"})
    everything = printed(await list_readers(str(tenant), None, None))["readings"]
    assert [each["actor"] for each in everything] == ["cli/7", "cli/7", "token"]
    found = printed(await list_readers(str(tenant), str(contact), None))["readings"]
    assert [(each["reason"], each["certainty"]) for each in found] == [("OPS-1", "yes"), (None, "maybe")]
    since = (await logs.entries(tenant, [AuditKind.PAYLOADS_OPENED]))[0].at
    assert len(printed(await list_readers(str(tenant), None, since))["readings"]) == 1
    asked = await logs.entries(tenant, [AuditKind.AUDIT_READ])
    assert [each.detail for each in asked] == [{}, {"contact": str(contact)}, {}]
