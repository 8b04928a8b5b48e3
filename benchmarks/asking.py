"""The asking side of `codec_server`, a process of its own: `python asking.py HOST PORT FILE SECONDS CONNECTIONS`.

FILE holds a whole HTTP request. Each connection sends it again and again, one after the other, as the `temporal`
command does; the process prints `begun` once each was answered once, then how many were in all. It parses next to
nothing, so that it takes little of the machine.
"""

import asyncio
import sys
import time
from pathlib import Path


async def answered(reader: asyncio.StreamReader) -> None:
    """Read one answer, which must be 200."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(head.partition(b"\r\n")[0].decode())
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))


async def ask(host: str, port: int, request: bytes, begun: asyncio.Barrier, seconds: float) -> int:
    """One connection; how many requests were answered in time."""
    reader, writer = await asyncio.open_connection(host, port, limit=2**20)
    writer.write(request)
    await answered(reader)
    await begun.wait()
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        writer.write(request)
        await answered(reader)
        count += 1
    writer.close()
    return count


async def main(host: str, port: str, request: bytes, seconds: str, connections: str) -> None:
    """See the module."""
    begun = asyncio.Barrier(int(connections) + 1)
    asking = [
        asyncio.create_task(ask(host, int(port), request, begun, float(seconds))) for _ in range(int(connections))
    ]
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait([waiting, *asking], return_when=asyncio.FIRST_COMPLETED)
    print("begun", flush=True)
    print(sum(await asyncio.gather(*asking)), flush=True)


_, host, port, file, *numbers = sys.argv
asyncio.run(main(host, port, Path(file).read_bytes(), *numbers))
