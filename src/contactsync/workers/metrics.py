"""What a look of the freshness watch found, as Prometheus text, and the small server that shows it.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4). Labels are ids, kinds and
codes of closed lists. Times are given as times, not as ages, so that they stay true between two looks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from contactsync.activities.store.freshness import Standing
from contactsync.workers.watching import Look

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LOOKS_MISSED: Final = 3
_SLOWEST_LOOK_SECONDS: Final = 60.0

Labels = Mapping[str, object]
Sample = tuple[Labels, float]

_COLUMNS: Final[Sequence[tuple[str, str, Callable[[Standing], float]]]] = (
    ("late", "Whether the connection is past its objective.", lambda each: each.late),
    ("objective_seconds", "Within which a pass has to complete.", lambda each: each.objective_seconds),
    ("paused", "Whether the connection is paused.", lambda each: each.paused is not None),
    (
        "fresh_timestamp_seconds",
        "Last completed pass, or the connection's beginning.",
        lambda each: each.fresh_at.timestamp(),
    ),
    ("deletes_held", "Deletions that wait for approval.", lambda each: each.held),
)


@dataclass(slots=True)
class Board:
    """Where the watch leaves its newest look for whoever asks; `look` is None while the database does not answer."""

    every_seconds: float
    look: Look | None = None
    looked_at: float = 0.0  # seconds since the epoch, of the last look that succeeded

    def put(self, look: Look | None) -> None:
        """A look that succeeded, or (None) one that did not."""
        self.look = look
        if look is not None:
            self.looked_at = time()

    @property
    def healthy(self) -> bool:
        """Whether the watch itself is at work: that connections are late does not make it unhealthy."""
        oldest = time() - _LOOKS_MISSED * self.every_seconds - _SLOWEST_LOOK_SECONDS
        return self.look is not None and self.looked_at >= oldest


def board_app(board: Board) -> Starlette:
    """`/metrics` for Prometheus, and `/healthz`: 200 while the watch looks and the database answers, else 503."""

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(render(board), media_type=CONTENT_TYPE)

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok" if board.healthy else "the database was not seen lately", _status(board))

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", health)])


def _status(board: Board) -> int:
    return 200 if board.healthy else 503


def render(board: Board) -> str:
    """The board as Prometheus text. Without a look there is nothing about connections: old values would look alive."""
    blocks = [
        _block("contactsync_watch_up", "Whether the last look reached the database.", [({}, board.look is not None)]),
        _block("contactsync_watch_look_timestamp_seconds", "Last look that succeeded.", [({}, board.looked_at)]),
    ]
    if board.look is not None:
        blocks += _of_look(board.look)
    return "".join(blocks)


def _of_look(look: Look) -> Iterable[str]:
    yield _block("contactsync_temporal_up", "Whether Temporal answers.", [({}, look.temporal)])
    if look.worker is not None:
        yield _block("contactsync_worker_up", "Whether a worker asks Temporal for work.", [({}, look.worker)])
    if look.keys is not None:
        yield _block(
            "contactsync_keys_held", "Payload keys that open executions keep from their end.", [({}, look.keys.held)]
        )
        yield _block(
            "contactsync_keys_overdue", "Payload keys past their end that nobody destroyed.", [({}, look.keys.overdue)]
        )
    flaws = [({"tenant": each.tenant_id, "flaw": each.flaw}, 1.0) for each in look.flawed]
    yield _block("contactsync_audit_logs_unsound", "Audit logs that are not sound.", [({}, len(flaws))])
    yield _block("contactsync_audit_log_unsound", "1 for each audit log that is not sound, with what is wrong.", flaws)
    yield _block("contactsync_connections", "Connections, by kind of source.", _by_kind(look.standings))
    yield _block("contactsync_connections_late", "Connections past their objective.", _late_by_kind(look))
    yield from _of_each(look.standings)
    yield _block(
        "contactsync_connection_late_reason",
        "1 for each connection past its objective, with the reason.",
        [
            ({**_labels(each.standing), "reason": each.reason.cause, "code": each.reason.code or ""}, 1)
            for each in look.late
        ],
    )


def _of_each(standings: tuple[Standing, ...]) -> Iterable[str]:
    for name, help_text, value in _COLUMNS:
        samples = [(_labels(each), value(each)) for each in standings]
        yield _block(f"contactsync_connection_{name}", help_text, samples)


def _by_kind(standings: Iterable[Standing]) -> list[Sample]:
    counted = Counter(each.kind for each in standings)
    return [({"kind": kind}, count) for kind, count in sorted(counted.items())]


def _late_by_kind(look: Look) -> list[Sample]:
    """Every kind there is, also those of which none is late: a sum over nothing would be no number."""
    late = Counter(each.standing.kind for each in look.late)
    return [({"kind": kind}, late[kind]) for kind in sorted({each.kind for each in look.standings})]


def _labels(standing: Standing) -> Labels:
    return {"tenant": standing.tenant_id, "connection": standing.connection_id, "kind": standing.kind}


def _block(name: str, help_text: str, samples: Iterable[Sample]) -> str:
    lines = [f"{name}{_braced(labels)} {float(value):.17g}\n" for labels, value in samples]
    return f"# HELP {name} {help_text}\n# TYPE {name} gauge\n{''.join(lines)}"


def _braced(labels: Labels) -> str:
    inside = ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
