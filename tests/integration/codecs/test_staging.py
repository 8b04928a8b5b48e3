"""Large sealed payloads in PostgreSQL: kept for their run, whole or refused."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriverActivityInfo,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverSelectContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)
from tests.rings import ring_of

from contactsync.codecs.payloads.sealed import seal_payload
from contactsync.codecs.payloads.staging import Stage, StagedRun
from contactsync.errors import OpenRefused, SealRefused
from contactsync.identifiers import sync_workflow_id
from contactsync.postgres import Database

RETRIEVING = StorageDriverRetrieveContext()


@pytest.fixture
def stage(database: Database) -> Stage:
    """The stage."""
    return Stage(database)


@pytest.fixture
def tenant() -> UUID:
    """A tenant."""
    return uuid4()


def run_of(tenant: UUID) -> StagedRun:
    """A new run of a new workflow of the tenant."""
    return StagedRun(tenant, sync_workflow_id(tenant, uuid4()), uuid4())


def place(run: StagedRun) -> StorageDriverStoreContext:
    """Where the SDK says that a payload belongs."""
    return StorageDriverStoreContext(
        StorageDriverWorkflowInfo(namespace="default", id=run.workflow_id, run_id=str(run.run_id))
    )


async def sealed(folder: Path, tenant: UUID, *texts: bytes) -> list[Payload]:
    """Sealed payloads of the tenant."""
    key = await (await ring_of(folder, tenant)).payload_key(tenant)
    return [seal_payload(key, "default", "", Payload(metadata={"encoding": b"x"}, data=text)) for text in texts]


async def test_what_was_staged_comes_back_in_order(stage: Stage, tenant: UUID, tmp_path: Path) -> None:
    """Several at once, of one tenant and of several, each for its own reference."""
    other = uuid4()
    payloads = await sealed(tmp_path, tenant, b"one", b"two", b"three")
    foreign = await sealed(tmp_path, other, b"four")
    claims = await stage.store(place(run_of(tenant)), payloads)
    claims += await stage.store(place(run_of(other)), foreign)
    assert await stage.retrieve(RETRIEVING, claims[::-1]) == [*foreign, *payloads[::-1]]
    assert await stage.retrieve(RETRIEVING, [claims[1], claims[1]]) == [payloads[1]] * 2


async def test_a_reference_holds_ids_and_a_digest_only(stage: Stage, tenant: UUID, tmp_path: Path) -> None:
    """It stands in the history in clear."""
    (claim,) = await stage.store(place(run_of(tenant)), await sealed(tmp_path, tenant, b"Ada"))
    assert set(claim.claim_data) == {"tenant", "object", "digest"}
    assert claim.claim_data["tenant"] == str(tenant)
    assert UUID(claim.claim_data["object"]).version == 4
    assert len(bytes.fromhex(claim.claim_data["digest"])) == 32


async def test_nothing_is_staged_that_is_not_sealed(stage: Stage, tenant: UUID, tmp_path: Path) -> None:
    """Not even beside others that are; and nothing that belongs to no run."""
    payloads = await sealed(tmp_path, tenant, b"one")
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"Ada"')
    with pytest.raises(SealRefused):
        await stage.store(place(run_of(tenant)), [*payloads, plain])
    for target in (None, StorageDriverActivityInfo(namespace="default", id="1", run_id=str(uuid4()))):
        with pytest.raises(SealRefused):
            await stage.store(StorageDriverStoreContext(target), payloads)
    assert await stage.runs(None, quiet_seconds=-60, limit=10) == []


async def test_only_large_sealed_payloads_of_a_run_are_chosen(stage: Stage, tenant: UUID, tmp_path: Path) -> None:
    """All others stay in the history as they are."""
    storage = stage.storage(1000)
    (large,) = await sealed(tmp_path, tenant, bytes(range(256)) * 8)
    run = StorageDriverSelectContext(place(run_of(tenant)).target)
    assert (storage.payload_size_threshold, storage.drivers) == (1000, [stage])
    assert storage.driver_selector is not None
    assert storage.driver_selector(run, large) is stage
    assert storage.driver_selector(run, Payload(data=bytes(5000))) is None
    assert storage.driver_selector(StorageDriverSelectContext(None), large) is None
    start = StorageDriverWorkflowInfo(namespace="default", id=sync_workflow_id(tenant, uuid4()))
    assert storage.driver_selector(StorageDriverSelectContext(start), large) is None


async def test_an_object_in_anothers_place_is_refused(stage: Stage, tenant: UUID, tmp_path: Path) -> None:
    """Swapped, altered, of another tenant, gone or never there: one answer for all."""
    run = run_of(tenant)
    one, two = await stage.store(place(run), await sealed(tmp_path, tenant, b"one", b"two"))
    swapped = StorageDriverClaim({**one.claim_data, "object": two.claim_data["object"]})
    foreign = StorageDriverClaim({**one.claim_data, "tenant": str(uuid4())})
    unknown = StorageDriverClaim({**one.claim_data, "object": str(uuid4())})
    broken = [StorageDriverClaim({}), StorageDriverClaim({**one.claim_data, "tenant": "x"})]
    for claim in (swapped, foreign, unknown, *broken):
        with pytest.raises(OpenRefused):
            await stage.retrieve(RETRIEVING, [two, claim])
    assert await stage.drop_run(run) == 2
    with pytest.raises(OpenRefused):
        await stage.retrieve(RETRIEVING, [one])


async def test_a_run_s_objects_go_with_it(stage: Stage, tenant: UUID, tmp_path: Path) -> None:
    """A later run drops those of the workflow's earlier ones, and nobody else's."""
    payloads = await sealed(tmp_path, tenant, b"one")
    earlier, stranger = run_of(tenant), run_of(tenant)
    later = StagedRun(tenant, earlier.workflow_id, uuid4())
    kept = [(await stage.store(place(run), payloads))[0] for run in (later, stranger)]
    (dropped,) = await stage.store(place(earlier), payloads)
    await stage.drop_earlier_runs(later)
    assert await stage.retrieve(RETRIEVING, kept) == payloads * 2
    with pytest.raises(OpenRefused):
        await stage.retrieve(RETRIEVING, [dropped])


async def test_runs_that_staged_are_listed_page_by_page(stage: Stage, tenant: UUID, tmp_path: Path) -> None:
    """Of all tenants, each once, and none that staged something lately."""
    other = uuid4()
    runs = [run_of(tenant), run_of(tenant), run_of(other)]
    for run in runs:
        payloads = await sealed(tmp_path, run.tenant_id, b"one", b"two")
        await stage.store(place(run), payloads)
    listed: list[StagedRun] = []
    while more := await stage.runs(listed[-1] if listed else None, quiet_seconds=-60, limit=2):
        listed += more
    assert listed == sorted(runs, key=lambda run: (run.tenant_id, run.run_id))
    assert await stage.runs(None, quiet_seconds=3600, limit=10) == []
