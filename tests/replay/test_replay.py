"""Today's workflows replay every recorded history, ciphertext as it was."""

import json
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from tests.replay.another_shape import AnotherShape
from tests.replay.fixture_keys import load_ring

from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.workflows.connection_sync import ConnectionSync

HISTORIES = Path(__file__).parent / "histories"
RECORDED = sorted(path for path in HISTORIES.glob("*/*.json") if path.name != "keys.json")


async def _replayer(path: Path, tmp_path: Path, shape: type) -> Replayer:
    ring = await load_ring(path.parent / "keys.json", tmp_path / "root.key")
    return Replayer(workflows=[shape], plugins=[SealingPlugin(ring)], namespace="default")


def _history(path: Path) -> WorkflowHistory:
    recorded = json.loads(path.read_text())
    return WorkflowHistory.from_json(recorded.pop("workflowId"), recorded)


def test_there_are_recorded_histories() -> None:
    """At least the six scenarios of the first shape."""
    assert len(RECORDED) >= 6


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_a_recorded_history_replays(path: Path, tmp_path: Path) -> None:
    """The same commands in the same order, from a history that holds ciphertext only."""
    assert "betelgeuse" not in path.read_text()
    replayer = await _replayer(path, tmp_path, ConnectionSync)
    await replayer.replay_workflow(_history(path))


async def test_another_shape_does_not_replay(tmp_path: Path) -> None:
    """The control: a workflow with other commands is refused."""
    replayer = await _replayer(RECORDED[0], tmp_path, AnotherShape)
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(_history(RECORDED[0]))
