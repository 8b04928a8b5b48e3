"""A CardDAV server under test: where it is, and a hand on its address books beside the source's own."""

import ssl
from dataclasses import dataclass
from typing import Final

import httpx

MKCOL: Final = (
    '<d:mkcol xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:set><d:prop><d:resourcetype>'
    "<d:collection/><c:addressbook/></d:resourcetype></d:prop></d:set></d:mkcol>"
)
PASSWORD: Final = "correct horse"


@dataclass(frozen=True, slots=True)
class DavServer:
    """A running server. `root` is its address without a path; `unknown_token` one that it never gave out."""

    kind: str
    root: str
    unknown_token: str
    ca_file: str = ""

    def settings(self, path: str = "/") -> dict[str, object]:
        """Settings of a connection to a path on it."""
        return {"url": self.root + path, **({"ca_file": self.ca_file} if self.ca_file else {})}

    def client(self, user: str) -> httpx.AsyncClient:
        """An HTTP client signed in as the user."""
        verify = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else False
        return httpx.AsyncClient(base_url=self.root, auth=(user, PASSWORD), verify=verify)


class Hand:
    """Changes one address book behind the source's back."""

    def __init__(self, client: httpx.AsyncClient, book: str) -> None:
        self.client = client
        self.book = book

    def path(self, name: str) -> str:
        """The path of a card."""
        return self.book + name

    async def make(self) -> None:
        """Makes the address book."""
        answer = await self.client.request(
            "MKCOL", self.book, content=MKCOL, headers={"content-type": "application/xml"}
        )
        assert answer.status_code == 201, answer.status_code

    async def unmake(self) -> None:
        """Deletes the address book with all it holds."""
        await self.client.delete(self.book)
        # Cyrus does it and answers 404, so this answer says nothing; xandikos then says 404 within a 207
        left = await self.client.request("PROPFIND", self.book, headers={"depth": "0"})
        assert left.status_code == 404 or "HTTP/1.1 404" in left.text, left.status_code

    async def put(self, name: str, card: str) -> None:
        """Adds or replaces a card."""
        answer = await self.client.put(
            self.path(name), content=card.encode(), headers={"content-type": "text/vcard; charset=utf-8"}
        )
        assert answer.status_code in (200, 201, 204), (answer.status_code, answer.text)

    async def delete(self, name: str) -> None:
        """Deletes a card."""
        answer = await self.client.delete(self.path(name))
        assert answer.status_code in (200, 204), answer.status_code

    async def rename(self, old: str, new: str) -> None:
        """Moves a card to another name; where the server cannot, it is deleted and put anew."""
        answer = await self.client.request(
            "MOVE", self.path(old), headers={"destination": str(self.client.base_url.join(self.path(new)))}
        )
        if answer.status_code in (201, 204):
            return
        card = (await self.client.get(self.path(old))).text
        await self.delete(old)
        await self.put(new, card)
