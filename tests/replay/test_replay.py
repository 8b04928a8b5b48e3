"""Today's workflows replay every recorded history, ciphertext as it was."""

import json
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from tests.replay.another_shape import (
    AnotherBackfill,
    AnotherCheckpointing,
    AnotherDestruction,
    AnotherOffboarding,
    AnotherRotation,
    AnotherSync,
)
from tests.replay.fixture_keys import load_ring

from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.workflows.backfill import Backfill
from contactsync.workflows.checkpoint_logs import CheckpointLogs
from contactsync.workflows.connection_sync import ConnectionSync
from contactsync.workflows.destroy_expired_keys import DestroyExpiredKeys
from contactsync.workflows.offboard_tenant import OffboardTenant
from contactsync.workflows.rotate_tenant_key import RotateTenantKey

HISTORIES = Path(__file__).parent / "histories"
RECORDED = sorted(path for path in HISTORIES.glob("*/*.json") if path.name != "keys.json")


SHAPES = {
    "2026-11": 6,
    "2026-11-backfill": 13,
    "2026-11-quiet-pages": 14,
    "2026-11-pages-ahead": 14,
    "2026-11-in-turn": 15,
    "2026-11-keys": 3,
    "2026-11-offboarding": 5,
    "2026-11-audit": 2,
    "2026-11-rotation": 3,
}
"""The recorded shapes, and how many scenarios each has at least."""

CONTROLS = (
    "2026-11/failures",
    "2026-11-backfill/failures",
    "2026-11-backfill/backfill-completed",
    "2026-11-quiet-pages/quiet-pages",
    "2026-11-pages-ahead/several-passes",
    "2026-11-in-turn/two-writes",
    "2026-11-keys/keys-nothing-due",
    "2026-11-audit/checkpoints-at-once",
    "2026-11-offboarding/offboarding-cancelled",
    "2026-11-rotation/rotation-of-all-keys",
)


async def _replayer(path: Path, tmp_path: Path, *workflows: type) -> Replayer:
    ring = await load_ring(path.parent / "keys.json", tmp_path / "root.key")
    return Replayer(workflows=workflows, plugins=[SealingPlugin(ring)], namespace="default")


def _history(path: Path) -> WorkflowHistory:
    recorded = json.loads(path.read_text())
    return WorkflowHistory.from_json(recorded.pop("workflowId"), recorded)


@pytest.mark.parametrize("shape", SHAPES)
def test_there_are_recorded_histories(shape: str) -> None:
    """Each shape that was ever released has its scenarios."""
    assert len([path for path in RECORDED if path.parent.name == shape]) >= SHAPES[shape]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_a_recorded_history_replays(path: Path, tmp_path: Path) -> None:
    """The same commands in the same order, from a history that holds ciphertext only."""
    assert "betelgeuse" not in path.read_text()
    today = (ConnectionSync, Backfill, DestroyExpiredKeys, OffboardTenant, CheckpointLogs, RotateTenantKey)
    replayer = await _replayer(path, tmp_path, *today)
    await replayer.replay_workflow(_history(path))


@pytest.mark.parametrize("name", CONTROLS)
async def test_another_shape_does_not_replay(name: str, tmp_path: Path) -> None:
    """The control: workflows with other commands are refused."""
    path = HISTORIES / f"{name}.json"
    another = (
        AnotherSync,
        AnotherBackfill,
        AnotherDestruction,
        AnotherOffboarding,
        AnotherCheckpointing,
        AnotherRotation,
    )
    replayer = await _replayer(path, tmp_path, *another)
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(_history(path))
