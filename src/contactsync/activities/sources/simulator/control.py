"""The hands of the provider's users, for those who run it in a process of its own.

    POST /_control           one edit: {"do": "edit", "ids": ["000000001"]}; answers with the ids that it touched
    GET  /_control/truth     ids and versions of what is there: ?after=&limit=

They ask for no credentials: the simulator listens to this machine only.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import islice
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults
from contactsync.activities.sources.simulator.provider import Provider

_faults = TypeAdapter(Faults)


class Order(BaseModel):
    """One thing to do. Members that an action does not need are ignored by it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal[
        "add", "put", "edit", "delete", "purge", "restore", "merge", "rename", "move", "faults", "expire", "advance"
    ]
    ids: tuple[str, ...] = ()
    to: str | None = None  # the winner, the new id
    folder: str = ""
    count: int = 1
    values: dict[str, object] | None = None
    at: Instant | None = None
    seconds: float = 0.0
    faults: dict[str, object] | None = None


def control_routes(provider: Provider) -> list[Route]:
    """The routes of `/_control`."""
    hands = _Hands(provider)
    return [Route("/_control", hands.act, methods=["POST"]), Route("/_control/truth", hands.truth)]


class _Hands:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._actions: Mapping[str, Callable[[Order], list[str] | None]] = {
            "add": lambda order: provider.add(order.count, at=order.at, folder=order.folder),
            "put": lambda order: self._each(order, lambda name: provider.put(name, order.values, at=order.at)),
            "edit": lambda order: provider.edit(*order.ids, at=order.at),
            "delete": lambda order: provider.delete(*order.ids, at=order.at),
            "purge": lambda order: provider.delete(*order.ids, purge=True, at=order.at),
            "restore": lambda order: self._each(order, lambda name: provider.restore(name, at=order.at)),
            "merge": lambda order: self._each(order, lambda name: provider.merge(name, order.to or "", at=order.at)),
            "rename": lambda order: self._each(order, lambda name: provider.rename(name, order.to or "", at=order.at)),
            "move": lambda order: self._each(
                order, lambda name: provider.move(name, order.folder, order.to, at=order.at)
            ),
            "faults": self._set_faults,
            "expire": lambda _: provider.expire_tokens(),
            "advance": self._advance,
        }

    async def act(self, request: Request) -> Response:
        """Does what the body says."""
        try:
            order = Order.model_validate_json(await request.body())
            touched = self._actions[order.do](order)
        except (ValidationError, KeyError):
            return JSONResponse({"error": "there is no such action, contact or fault"}, 400)
        return JSONResponse({"ids": list(order.ids) if touched is None else touched})

    async def truth(self, request: Request) -> Response:
        """What is there, a page at a time."""
        after, limit = request.query_params.get("after", ""), int(request.query_params.get("limit", "10000"))
        live = list(islice(self._provider.live(after), limit))
        return JSONResponse({"contacts": live, "after": live[-1][0] if len(live) == limit else None})

    def _each(self, order: Order, work: Callable[[str], None]) -> None:
        for name in order.ids:
            work(name)

    def _set_faults(self, order: Order) -> None:
        """Sets those faults that are named, and takes back all others."""
        given = cast("dict[str, object]", json.loads(json.dumps(order.faults or {})))
        if set(given) - {known.name for known in fields(Faults)}:
            raise KeyError
        self._provider.faults = _faults.validate_python(given)

    def _advance(self, order: Order) -> None:
        if not isinstance(self._provider.clock, VirtualClock):
            raise KeyError
        self._provider.clock.advance(order.seconds)
