"""`contactsync tenant offboard` and `tenant certificate`."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.integration.cli.running import Site, printed, until

from contactsync.codecs.audit.signing import VerifierKey, verify_note
from contactsync.errors import NoWorker, OffboardingNotFound, TenantDisabled
from contactsync.identifiers import offboard_workflow_id
from contactsync.workers.cli.main import run_command
from contactsync.workers.cli.offboarding import (
    approve_offboarding,
    cancel_offboarding,
    certificate_of_tenant,
    start_offboarding,
    status_of,
)
from contactsync.workers.cli.output import Report, console
from contactsync.workers.offboards import Offboards
from contactsync.workers.syncs import Sync

WEEK = timedelta(days=7)


def drawn(report: Report) -> str:
    """What people read."""
    shown = console()
    with shown.capture() as captured:
        shown.print(report.picture())
    return captured.get()


async def in_quarantine(sync: Sync) -> None:
    """Begin, and wait for the quarantine."""
    await start_offboarding(str(sync.tenant_id), WEEK, yes=True)

    async def waits() -> bool:
        return printed(await status_of(str(sync.tenant_id)))["offboarding"]["state"] == "quarantine"

    await until(waits)


async def test_from_the_plan_to_the_certificate(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan is shown, the quarantine ends by approval, and the certificate's note holds under the printed key."""
    sync = await site.connect({"made_up": 30})
    tenant = str(sync.tenant_id)
    async with site.worker():
        await site.syncs.result(sync, await site.syncs.sync_now(sync))
        await in_quarantine(sync)
        assert "for 7d 00h: a quarantine; --cancel undoes it" in capsys.readouterr().err
        with pytest.raises(OffboardingNotFound):
            await certificate_of_tenant(tenant)
        done = printed(await approve_offboarding(tenant, yes=True))["offboarding"]
    assert (done["state"], done["certificate"], done["running"]) == ("completed", True, False)
    assert done["deleted"]["contact"] == 30
    report = await certificate_of_tenant(tenant)
    found = printed(report)
    assert verify_note(found["note"], [VerifierKey.parse(found["verifier"])]).count("\n") == 1
    assert "backups of the key store, until" in drawn(report)
    capsys.readouterr()
    assert await asyncio.to_thread(run_command, ["tenant", "certificate", tenant, "--note"]) == 0
    assert capsys.readouterr().out == found["note"]
    assert printed(await start_offboarding(tenant, WEEK, yes=False))["offboarding"] == done


async def test_a_key_that_a_backup_brought_back(site: Site) -> None:
    """Offboarding the tenant again destroys it, without a quarantine; the certificate stays."""
    tenant_id, store = await site.tenant(), site.parts.ring.store
    (key,) = await store.tenant_keys(tenant_id)
    async with site.worker():
        await start_offboarding(str(tenant_id), timedelta(seconds=1), yes=True)
        runs = Offboards(site.syncs.client, site.syncs.task_queue)
        await runs.result(tenant_id)
        note = await site.parts.offboardings.certificate(tenant_id)
        await store.add_tenant_key(replace(key, kid=bytes(16), version=2))
        await start_offboarding(str(tenant_id), WEEK, yes=True)
        assert (await runs.result(tenant_id)).outcome == "completed"
    assert {each.wrapped for each in await store.tenant_keys(tenant_id)} == {None}
    assert await site.parts.offboardings.certificate(tenant_id) == note


async def test_cancelling_starts_the_syncs_again(site: Site) -> None:
    """Until then nobody resumes them; then they run without anybody asking, and cancelling again changes nothing."""
    sync = await site.connect({"made_up": 30})
    async with site.worker():
        await site.syncs.result(sync, await site.syncs.sync_now(sync))
        await in_quarantine(sync)
        assert await asyncio.to_thread(run_command, ["connection", "resume", str(sync.connection_id)]) == 12
        assert not (await site.syncs.condition(sync)).running
        for _ in range(2):
            cancelled = printed(await cancel_offboarding(str(sync.tenant_id)))["offboarding"]
            assert cancelled["state"] == "cancelled"
        assert (await site.syncs.condition(sync)).running
        assert (await site.syncs.result(sync, await site.syncs.sync_now(sync))).outcome == "completed"
        with pytest.raises(OffboardingNotFound):
            await approve_offboarding(str(sync.tenant_id), yes=True)


async def test_a_lost_workflow_is_no_trap(site: Site) -> None:
    """One that was terminated in its quarantine is cancelled all the same; after the decision it only goes forward."""
    sync = await site.connect({"made_up": 30})
    tenant = str(sync.tenant_id)
    handle = site.syncs.client.get_workflow_handle(offboard_workflow_id(sync.tenant_id))
    async with site.worker():
        await in_quarantine(sync)
        await handle.terminate(reason="operator")
        assert printed(await cancel_offboarding(tenant))["offboarding"]["state"] == "cancelled"
        await in_quarantine(sync)
        await handle.terminate(reason="operator")
        opening = (await site.parts.offboardings.find(sync.tenant_id) or pytest.fail("gone")).openings[-1]
        await site.parts.offboardings.decide(sync.tenant_id, opening, "worker")
        with pytest.raises(TenantDisabled):
            await cancel_offboarding(tenant)
        await start_offboarding(tenant, WEEK, yes=True)

        async def keyless() -> bool:
            return printed(await status_of(tenant))["offboarding"]["effective_at"] is not None

        await until(keyless)
        await handle.terminate(reason="operator")


async def test_nothing_is_decided_without_a_worker(site: Site) -> None:
    """Approving and cancelling need a worker; asking about what never began finds nothing."""
    sync = await site.connect({"made_up": 1})
    tenant = str(sync.tenant_id)
    for asked in (approve_offboarding(tenant, yes=True), cancel_offboarding(tenant)):
        with pytest.raises(NoWorker):
            await asked
    with pytest.raises(OffboardingNotFound):
        await status_of(tenant)


async def test_the_command_line(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is offboarded by a command that cannot ask and was not told to go ahead; options exclude each other."""
    sync = await site.connect({"made_up": 1})
    tenant = str(sync.tenant_id)
    for wrong in ([], ["--approve", "--cancel"], ["--quarantine", "400d"]):
        assert await asyncio.to_thread(run_command, ["tenant", "offboard", tenant, *wrong]) == 2
    assert (await site.parts.directory.get_tenant(sync.tenant_id)).disabled_at is None
    assert await asyncio.to_thread(run_command, ["tenant", "offboard", tenant, "--status"]) == 4
    assert await asyncio.to_thread(run_command, ["tenant", "certificate", tenant]) == 4
    capsys.readouterr()
