"""P20: contacts with large notes neither fail workflow tasks again and again, nor continue as new for ever."""

import random

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from tests.integration.engine.conftest import Engine

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Contact, Field, Name, Note
from contactsync.activities.messages import ConnectionRef
from contactsync.activities.sources.memory import AddressBook, shared
from contactsync.activities.store.directory import TenantPolicy

LARGE = 150
TOO_LARGE = 3
PAYLOAD_BYTES = 2 * 1024 * 1024
HISTORY_BYTES = 10 * 1024 * 1024
"""Where a walk goes on in another run, and the pages under way by then: Temporal warns from here on."""


def with_note(number: int, characters: int) -> Contact:
    """A contact with a note that hardly compresses."""
    text = random.Random(number).randbytes(characters // 2).hex()  # noqa: S311  # text, not a secret
    return Contact(uid=str(number), name=Name(full=f"Contact {number}"), notes=(Note(note=text),))


async def runs_of(client: Client, workflow_id: str, first_run_id: str) -> list[WorkflowHistory]:
    """The histories of all runs, the first one first."""
    histories: list[WorkflowHistory] = []
    run_id = first_run_id
    while run_id:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        histories.append(history)
        last = history.events[-1]
        run_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return histories


async def test_p20_large_notes_pass_and_each_run_brings_at_least_a_page(engine: Engine) -> None:
    """150 notes of 60 KB and three of 1.1 MB are held or quarantined; pages and histories stay bounded."""
    policy = TenantPolicy(fields=DEFAULT_FIELDS | {Field.NOTES})
    tenant = await engine.parts.directory.add_tenant("Tenant of large notes", policy)
    cards = {f"large-{number}": with_note(number, 60_000) for number in range(LARGE)}
    cards |= {f"too-large-{number}": with_note(number, 1_100_000) for number in range(TOO_LARGE)}
    with shared(AddressBook(cards)) as name:
        sync = await engine.connect(tenant.tenant_id, {"shared": name})
        result = await engine.sync(sync)
        counts = await engine.parts.contacts.counts(
            ConnectionRef(tenant_id=sync.tenant_id, connection_id=sync.connection_id)
        )
        first = (await engine.syncs.client.get_workflow_handle(sync.workflow_id).describe()).raw_description
        first_run_id = first.workflow_execution_info.first_run_id
        runs = await runs_of(engine.syncs.client, sync.workflow_id, first_run_id)
    assert (result.outcome, counts.live, counts.quarantined) == ("completed", LARGE, TOO_LARGE)
    assert 1 < len(runs) <= result.counts.pages + 1
    for run in runs:
        kinds = [event.event_type for event in run.events]
        assert EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED not in kinds
        assert max(event.ByteSize() for event in run.events) < PAYLOAD_BYTES
        assert sum(event.ByteSize() for event in run.events) < HISTORY_BYTES
