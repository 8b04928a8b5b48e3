"""Running the codec server, and other small ones: uvicorn without loggers, signals and headers of its own."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from contactsync.errors import SettingsError

KEEP_ALIVE_SECONDS: Final = 75
MAX_CONNECTIONS: Final = 200
_MAX_HEADER_BYTES: Final = 32 * 1024
_STOP_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of a certificate chain and its key."""

    certificate: Path
    key: Path


@asynccontextmanager
async def serving(
    app: ASGIApp,
    host: str,
    port: int,
    tls: Tls | None = None,
    *,
    who: str = "the codec server",
    has_clock: bool = False,
) -> AsyncGenerator[int]:
    """Serve for as long as the block runs; gives the port (`port` 0: a free one). `who` is named in errors;
    with `has_clock` the app sends a `Date` of its own.

    Raises:
        SettingsError: the address cannot be listened on, or the certificate cannot be used.
    """
    server = _Server(_config(app, tls, has_clock=has_clock))
    listener = _listener(host, port, who)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await _started(server, running, who)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait([running])
        listener.close()


class _Server(uvicorn.Server):
    """Leaves signals to the process, which stops what it started in its own order."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _config(app: ASGIApp, tls: Tls | None, *, has_clock: bool) -> uvicorn.Config:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logging.getLogger(name).disabled = True  # their lines hold request lines and texts of errors
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        date_header=not has_clock,
        ws="none",
        http="h11",
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        ssl_certfile=str(tls.certificate) if tls else None,
        ssl_keyfile=str(tls.key) if tls else None,
    )
    try:
        config.load()
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        raise SettingsError("the codec server's certificate or key cannot be used; check both files") from None
    return config


def _listener(host: str, port: int, who: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError:
        raise SettingsError(f"{who} cannot listen on {host}; check the address") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise SettingsError(f"{who} cannot listen on {host} port {port}; is the port taken?") from None
    return listener


async def _started(server: uvicorn.Server, running: "asyncio.Task[None]", who: str) -> None:
    while not server.started:
        done, _ = await asyncio.wait([running], timeout=0.01)
        if done:
            await running
            raise SettingsError(f"{who} did not start")
