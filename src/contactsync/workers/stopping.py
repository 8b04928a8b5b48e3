"""When a long process is asked to stop."""

import asyncio
import signal


async def stop_requested() -> None:
    """Return when the process is asked to stop, by SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await stop.wait()
