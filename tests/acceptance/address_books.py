"""A CardDAV server behind a gate that can be shut, as when the server is down."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.dav.radicale import radicale
from tests.dav.server import PASSWORD, Hand

from contactsync.workers.embedded.ports import LOOPBACK, free_port

BOOK = "/amy/contacts/"
USER = "amy"
_CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:;{name};;;\r\n"
    "EMAIL:{email}\r\nTEL:{phone}\r\nEND:VCARD\r\n"
)


class Gate:
    """Passes TCP connections on to a server; shut, it refuses them."""

    def __init__(self, port: int, to_port: int) -> None:
        self.port = port
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Let everybody through."""
        self._server = await asyncio.start_server(self._pass_on, LOOPBACK, self.port)

    async def shut(self) -> None:
        """End what is open, and refuse what comes."""
        if self._server is None:
            return
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self._server = None

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._to_port)
        ends = {writer, far_writer}
        self._open |= ends
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        self._open -= ends


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()


class AddressBook:
    """amy's address book: what is in it, and how a connection reaches it."""

    def __init__(self, hand: Hand, gate: Gate, folder: Path) -> None:
        self._hand = hand
        self._folder = folder
        self.gate = gate
        self.cards: dict[str, list[str]] = {}
        self.give_password(PASSWORD)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://{LOOPBACK}:{self.gate.port}"

    def give_password(self, password: str) -> None:
        """Write the password that the connection uses."""
        (self._folder / "secret").write_text(password + "\n")

    def options(self, path: str = "/", secret: str = "") -> tuple[str, ...]:
        """Options of `connection add`."""
        reference = secret or f"file:{self._folder / 'secret'}"
        return ("--kind", "carddav", "--url", self.url + path, "--username", USER, "--secret", reference)

    async def put(self, name: str, full: str, email: str, phone: str = "030 123456") -> None:
        """Add or replace a card."""
        await self._hand.put(name, _CARD.format(uid=name, name=full, email=email, phone=phone))
        self.cards[self._hand.path(name)] = [email]

    async def delete(self, name: str) -> None:
        """Delete a card."""
        await self._hand.delete(name)
        del self.cards[self._hand.path(name)]


@asynccontextmanager
async def address_book(folder: Path) -> AsyncGenerator[AddressBook]:
    """An address book of two cards on a server of its own."""
    folder.mkdir()
    async with radicale(folder, [USER]) as server, server.client(USER) as client:
        hand = Hand(client, BOOK)
        await hand.make()
        gate = Gate(free_port(), int(server.root.rpartition(":")[2]))
        await gate.open()
        book = AddressBook(hand, gate, folder)
        await book.put("1.vcf", "Zoë Quill", "zoe@quill.example")
        await book.put("2.vcf", "Bo Reed", "bo@reed.example", "+1 202 555 0123")
        try:
            yield book
        finally:
            await gate.shut()
