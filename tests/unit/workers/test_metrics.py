"""What a look of the freshness watch found, as Prometheus text."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from contactsync.activities.store.freshness import Standing
from contactsync.codecs.audit.flaws import FlawedLog
from contactsync.codecs.keys.store import KeyTally
from contactsync.workers.metrics import Board, board_app, render
from contactsync.workers.watching import Cause, Late, Look, Reason

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPECTED = """\
# HELP contactsync_watch_up Whether the last look reached the database.
# TYPE contactsync_watch_up gauge
contactsync_watch_up 1
# HELP contactsync_watch_look_timestamp_seconds Last look that succeeded.
# TYPE contactsync_watch_look_timestamp_seconds gauge
contactsync_watch_look_timestamp_seconds 1772366400
# HELP contactsync_temporal_up Whether Temporal answers.
# TYPE contactsync_temporal_up gauge
contactsync_temporal_up 1
# HELP contactsync_worker_up Whether a worker asks Temporal for work.
# TYPE contactsync_worker_up gauge
contactsync_worker_up 0
# HELP contactsync_audit_logs_unsound Audit logs that are not sound.
# TYPE contactsync_audit_logs_unsound gauge
contactsync_audit_logs_unsound 1
# HELP contactsync_audit_log_unsound 1 for each audit log that is not sound, with what is wrong.
# TYPE contactsync_audit_log_unsound gauge
contactsync_audit_log_unsound{tenant="00000000-0000-0000-0000-000000000001",flaw="tail_missing"} 1
# HELP contactsync_connections Connections, by kind of source.
# TYPE contactsync_connections gauge
contactsync_connections{kind="carddav"} 1
contactsync_connections{kind="rest"} 1
# HELP contactsync_connections_late Connections past their objective.
# TYPE contactsync_connections_late gauge
contactsync_connections_late{kind="carddav"} 0
contactsync_connections_late{kind="rest"} 1
# HELP contactsync_connection_late Whether the connection is past its objective.
# TYPE contactsync_connection_late gauge
contactsync_connection_late{FRESH} 0
contactsync_connection_late{LATE} 1
# HELP contactsync_connection_objective_seconds Within which a pass has to complete.
# TYPE contactsync_connection_objective_seconds gauge
contactsync_connection_objective_seconds{FRESH} 1800
contactsync_connection_objective_seconds{LATE} 1800
# HELP contactsync_connection_paused Whether the connection is paused.
# TYPE contactsync_connection_paused gauge
contactsync_connection_paused{FRESH} 0
contactsync_connection_paused{LATE} 1
# HELP contactsync_connection_fresh_timestamp_seconds Last completed pass, or the connection's beginning.
# TYPE contactsync_connection_fresh_timestamp_seconds gauge
contactsync_connection_fresh_timestamp_seconds{FRESH} 1772366399.5
contactsync_connection_fresh_timestamp_seconds{LATE} 1772362800
# HELP contactsync_connection_deletes_held Deletions that wait for approval.
# TYPE contactsync_connection_deletes_held gauge
contactsync_connection_deletes_held{FRESH} 0
contactsync_connection_deletes_held{LATE} 7
# HELP contactsync_connection_late_reason 1 for each connection past its objective, with the reason.
# TYPE contactsync_connection_late_reason gauge
contactsync_connection_late_reason{LATE,reason="paused",code="operator"} 1
"""


def _standing(number: int, kind: str, age: timedelta, *, held: int = 0, paused: str | None = None) -> Standing:
    return Standing(
        tenant_id=UUID(int=1),
        connection_id=UUID(int=number),
        kind=kind,
        paused=paused,
        interval_seconds=900,
        objective_seconds=1800,
        created_at=NOW - age,
        completed_at=None,
        last=None,
        held=held,
        at=NOW,
    )


def _look(*, worker: bool | None = False) -> Look:
    fresh = _standing(2, "carddav", timedelta(seconds=0.5))
    late = _standing(3, "rest", timedelta(hours=1), held=7, paused="operator")
    reason = Late(late, Reason(Cause.PAUSED, "operator"))
    flawed = FlawedLog(UUID(int=1), "tail_missing", NOW)
    return Look(NOW, (fresh, late), (reason,), temporal=True, worker=worker, flawed=(flawed,))


def _board(look: Look | None) -> Board:
    return Board(30.0, look, NOW.timestamp() if look else 0.0)


def test_a_look_as_text() -> None:
    """Every value with its help, its type and labels that are ids, kinds and codes."""
    labels = {
        name: f'tenant="{UUID(int=1)}",connection="{UUID(int=number)}",kind="{kind}"'
        for name, number, kind in (("FRESH", 2, "carddav"), ("LATE", 3, "rest"))
    }
    expected = EXPECTED.replace("FRESH", labels["FRESH"]).replace("LATE", labels["LATE"])
    assert render(_board(_look())) == expected


def test_what_is_not_known_is_left_out() -> None:
    """Without Temporal nobody can say whether there is a worker; without a database there is nothing to say at all."""
    assert "contactsync_worker_up" not in render(_board(_look(worker=None)))
    silent = render(_board(None))
    assert "contactsync_watch_up 0\n" in silent
    assert "contactsync_connection" not in silent


def test_keys_whose_end_is_held_up() -> None:
    """Counted where the watch may see the key store, and missing where it may not: no number is not nought."""
    text = render(_board(replace(_look(), keys=KeyTally(held=2, overdue=3))))
    assert "contactsync_keys_held 2\n" in text
    assert "contactsync_keys_overdue 3\n" in text
    assert "contactsync_keys" not in render(_board(_look()))


def test_labels_are_escaped() -> None:
    """A quote, a backslash or a line's end in a label cannot end the label."""
    odd = _standing(4, 'a"b\\c\nd', timedelta(0))
    text = render(_board(Look(NOW, (odd,), (), temporal=False, worker=None)))
    assert 'contactsync_connections{kind="a\\"b\\\\c\\nd"} 1\n' in text


async def test_the_two_pages() -> None:
    """`/metrics` and `/healthz` answer; what else is asked for is not there."""
    board = Board(30.0)
    transport = httpx.ASGITransport(app=board_app(board))
    async with httpx.AsyncClient(transport=transport, base_url="http://watch") as client:
        assert (await client.get("/healthz")).status_code == 503  # not looked yet
        board.put(_look())
        metrics = await client.get("/metrics")
        assert (metrics.status_code, metrics.headers["content-type"]) == (
            200,
            "text/plain; version=0.0.4; charset=utf-8",
        )
        assert "contactsync_watch_up 1\n" in metrics.text
        assert (await client.get("/healthz")).status_code == 200
        board.put(None)
        assert (await client.get("/healthz")).status_code == 503
        assert [(await client.get(path)).status_code for path in ("/", "/metrics/x")] == [404, 404]
        assert (await client.post("/metrics")).status_code == 405


@pytest.mark.parametrize(("age", "healthy"), [(0, True), (140, True), (160, False)])
def test_a_watch_that_stopped_looking_is_not_healthy(age: float, healthy: bool) -> None:
    """Three looks missed and a minute more: an old look no longer counts."""
    board = Board(30.0)
    board.put(_look())
    board.looked_at -= age
    assert board.healthy is healthy
