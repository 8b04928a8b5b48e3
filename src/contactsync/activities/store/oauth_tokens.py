"""A connection's OAuth tokens, sealed in PostgreSQL: all workers share them, and one asks for all.

Who asks holds the row by a turn that ends by itself; no transaction is open while the provider thinks. The others look
again until there is a token. docs/secrets.md tells what happens when the one who asks dies.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID, uuid4

from pydantic import ValidationError

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.sources.tokens import Ask, Grant, Held, Token
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import CredentialsRejected, DatabaseError, OpenRefused, SourceUnavailable
from contactsync.postgres import Database, load_queries

TURN_SECONDS: float = 60.0
"""So long is one let ask; whoever died meanwhile is waited for as long."""

ASK_SECONDS: Final = 40.0
_PATIENCE_SECONDS: Final = 90.0
_FIRST_LOOK_SECONDS: Final = 0.05
_LAST_LOOK_SECONDS: Final = 1.0
_KEEP_AGAIN_SECONDS: Final = (0.2, 1.0, 3.0, 6.0)

_SQL: Final = load_queries("contactsync.activities.store", "sql/oauth_tokens.sql")
_TABLE: Final = "oauth_token"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Standing:
    """The row as it was read. `version` 0: there is none."""

    held: Held
    version: int
    is_being_renewed: bool


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn to ask, and what was held when it was taken."""

    turn: UUID
    held: Held
    version: int
    sealer: TenantSealer


class StoredTokens:
    """The `Tokens` of one connection. `clock` gives seconds since the epoch."""

    def __init__(
        self, database: Database, ring: KeyRing, ref: ConnectionRef, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._ring = ring
        self._ref = ref
        self._clock = clock
        self._held = Held()  # as it was last read: a page may take many requests

    async def get(self, grant: Grant, ask: Ask, *, refused: str = "") -> str:
        """See `Tokens.get`.

        Raises:
            SourceUnavailable: somebody else is asking and does not come to an end.
            CredentialsRejected: the provider refuses, or has just refused somebody else.
            KeysError, DatabaseError; as `ask`.
        """
        if token := self._held.token_for(grant, self._clock(), refused):
            return token
        look, patience = _FIRST_LOOK_SECONDS, time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < patience:
            if token := await self._looked(grant, ask, refused):
                return token
            await asyncio.sleep(look * random.uniform(0.5, 1.0))  # noqa: S311  # so that not all look at once
            look = min(look * 2, _LAST_LOOK_SECONDS)
        raise SourceUnavailable("another worker is asking for the connection's token; it is tried again")

    async def adopt(self, held: Held) -> None:
        """Keep what the connection's check was given, so that the first pass goes on with it.

        Raises:
            KeysError, DatabaseError.
        """
        sealer = await self._ring.tenant_sealer(self._ref.tenant_id)
        async with self._database.transaction(self._ref.tenant_id) as connection:
            await connection.execute(_SQL["adopt"], *self._row, self._sealed(sealer, held))

    async def _looked(self, grant: Grant, ask: Ask, refused: str) -> str:
        """The token that is held, or that the provider gives now; "" where somebody else is asking."""
        sealer = await self._ring.tenant_sealer(self._ref.tenant_id)
        standing = await self._read(sealer)
        if token := standing.held.token_for(grant, self._clock(), refused):
            self._held = standing.held
            return token
        turn = await self._claimed(sealer, standing)
        # whatever becomes of this activity: what the provider gives is given once
        return await _to_its_end(self._ask(turn, grant, ask)) if turn else ""

    @property
    def _row(self) -> tuple[UUID, UUID]:
        return self._ref.tenant_id, self._ref.connection_id

    async def _read(self, sealer: TenantSealer) -> _Standing:
        async with self._database.transaction(self._ref.tenant_id) as connection:
            row = await connection.fetchrow(_SQL["read"], *self._row)
        if row is None:
            return _Standing(Held(), 0, is_being_renewed=False)
        held = self._opened(sealer, row["sealed"]) if row["sealed"] is not None else Held()
        return _Standing(held, row["version"], is_being_renewed=row["is_being_renewed"])

    async def _claimed(self, sealer: TenantSealer, standing: _Standing) -> _Turn | None:
        if standing.is_being_renewed:
            return None
        turn = _Turn(uuid4(), standing.held, standing.version, sealer)
        async with self._database.transaction(self._ref.tenant_id) as connection:
            taken = await connection.fetchval(_SQL["claim"], *self._row, turn.turn, turn.version, TURN_SECONDS)
        return turn if taken else None

    async def _ask(self, turn: _Turn, grant: Grant, ask: Ask) -> str:
        """The token that the provider gives; "" where somebody else was given one meanwhile."""
        try:
            token = await _in_time(ask, turn.held.following(grant))
        except CredentialsRejected:
            if await self._kept("keep_refusal", turn, turn.held.refused(grant, self._clock())):
                raise
            return ""
        except BaseException:
            with suppress(DatabaseError):  # the turn ends by itself
                await self._give_back(turn)
            raise
        kept = await self._surely_kept(turn, turn.held.given(grant, token, self._clock()))
        return token.value if kept else ""

    async def _surely_kept(self, turn: _Turn, held: Held) -> bool:
        """Only here a failing write is repeated: the provider has ended the token before, and gives this one once."""
        for seconds in _KEEP_AGAIN_SECONDS:
            try:
                return await self._kept("keep", turn, held)
            except DatabaseError:
                await asyncio.sleep(seconds)
        return await self._kept("keep", turn, held)

    async def _kept(self, query: str, turn: _Turn, held: Held) -> bool:
        sealed = self._sealed(turn.sealer, held)
        async with self._database.transaction(self._ref.tenant_id) as connection:
            return bool(await connection.fetchval(_SQL[query], *self._row, turn.turn, turn.version, sealed))

    async def _give_back(self, turn: _Turn) -> None:
        async with self._database.transaction(self._ref.tenant_id) as connection:
            await connection.execute(_SQL["give_back"], *self._row, turn.turn)

    def _sealed(self, sealer: TenantSealer, held: Held) -> bytes:
        return sealer.seal(_TABLE, str(self._ref.connection_id), held.model_dump_json(exclude_defaults=True).encode())

    def _opened(self, sealer: TenantSealer, sealed: bytes) -> Held:
        try:
            return Held.model_validate_json(sealer.open(_TABLE, str(self._ref.connection_id), sealed))
        except ValidationError:
            raise OpenRefused from None


async def _in_time(ask: Ask, grant: Grant) -> Token:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await ask(grant)
    except TimeoutError:
        raise SourceUnavailable("the token endpoint does not answer; it is tried again") from None


async def _to_its_end(work: Coroutine[object, object, T]) -> T:
    """The work's result; who is cancelled meanwhile is so only once the work is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen: nobody is left to be told
        raise
