"""A client of the simulator that only knows HTTP."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ConfigDict

from contactsync.activities.sources.simulator.face import provider_app
from contactsync.activities.sources.simulator.provider import Provider


class Listed(BaseModel):
    """A record, as far as these tests look at it."""

    model_config = ConfigDict(extra="allow")

    id: str
    version: int
    updated_at: str
    deleted: bool
    merged_into: str | None = None
    merged_ids: tuple[str, ...] = ()
    folder: str = ""


class Body(BaseModel):
    """A page."""

    records: tuple[Listed, ...]
    next: str | None
    next_url: str | None
    has_more: bool
    total: int | None
    now: str


@dataclass(frozen=True, slots=True)
class Client:
    """Asks one provider."""

    http: httpx.AsyncClient

    async def page(self, path: str, **params: object) -> Body:
        """One page."""
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return Body.model_validate_json(answer.content)

    async def get(self, path: str, **params: object) -> httpx.Response:
        """One answer, whatever it is."""
        return await self.http.get(path, params={name: str(value) for name, value in params.items()})

    async def walk(self, path: str, most: int = 1000, **params: object) -> list[Body]:
        """All pages of a round, by cursor."""
        pages = [await self.page(path, **params)]
        while pages[-1].next is not None and len(pages) < most:
            pages.append(await self.page(path, **params, cursor=pages[-1].next))
        return pages

    async def ids(self, path: str, **params: object) -> list[str]:
        """The ids of a whole round, in the order of the answer."""
        return [record.id for page in await self.walk(path, 1000, **params) for record in page.records]

    async def control(self, **order: object) -> httpx.Response:
        """Does something to the provider."""
        return await self.http.post("/_control", json=order)


@asynccontextmanager
async def asking(provider: Provider) -> AsyncGenerator[Client]:
    """A client without a network in between."""
    wire = httpx.ASGITransport(provider_app(provider))
    async with httpx.AsyncClient(transport=wire, base_url="http://provider.example") as http:
        yield Client(http)
