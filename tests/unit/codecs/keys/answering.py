"""A server of one answer, on loopback: what a root key does when what answers is broken."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from contactsync.workers.embedded.ports import LOOPBACK


@dataclass
class Answering:
    """Answers every request so, and keeps what it was asked. With no status it hangs up; `hangs` makes it wait."""

    status: int | None = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    hangs: bool = False
    address: str = ""
    asked: list[bytes] = field(default_factory=list[bytes])

    async def answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        if self.hangs:
            await reader.read()  # until the caller gives up; 64 KiB are never sent
        elif self.status is not None:
            extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
            head = f"HTTP/1.1 {self.status} X\r\n{extra}content-length: {len(self.body)}\r\nconnection: close\r\n\r\n"
            writer.write(head.encode() + self.body)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def answering(answering: Answering) -> AsyncGenerator[Answering]:
    """Serve for as long as the block runs; `address` is where."""
    server = await asyncio.start_server(answering.answer_one, LOOPBACK, 0)
    answering.address = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield answering
