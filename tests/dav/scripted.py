"""A server that answers each request with the bytes it was told, then hangs up: for what no real server would say."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from contactsync.workers.embedded.ports import LOOPBACK


@dataclass(slots=True)
class Scripted:
    """Where it is, and what it was sent."""

    url: str
    port: int = 0
    heads: list[str] = field(default_factory=list[str])


def answer(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """A response; `length` may say something else than the body's."""
    head = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@asynccontextmanager
async def scripted(
    reply: Callable[[str], bytes] | bytes, tls: ssl.SSLContext | None = None, *, stays: bool = False
) -> AsyncGenerator[Scripted]:
    """A server that answers `reply`, or what it makes of the request's path; over TLS where there is a context.

    One that `stays` takes further requests on the same connection.
    """
    server_side = Scripted("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await respond(reader, writer)
            while stays:
                await respond(reader, writer)
        writer.close()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        server_side.heads.append(head)
        path = head.split(" ", 2)[1]
        writer.write(reply if isinstance(reply, bytes) else reply(path))
        await writer.drain()

    server = await asyncio.start_server(serve, LOOPBACK, 0, ssl=tls)
    async with server:
        server_side.port = server.sockets[0].getsockname()[1]
        server_side.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{server_side.port}/"
        yield server_side
