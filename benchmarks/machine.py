"""What this machine does on its own: the tiniest benchmark, to compare machines by and to try the runner with.

Options: `mebibytes`, `additions`.
"""

import hashlib
import time

from benchmarks.options import Options
from benchmarks.results import Figure, Result

_BLOCK = bytes(2**20)


async def measure(options: Options) -> Result:
    """How many MiB of zeroes a core digests in a second (SHA-256), and additions that Python makes."""
    mebibytes = options.number("mebibytes", usual=256, quick=8)
    additions = options.number("additions", usual=5_000_000, quick=100_000)
    times = options.times(5)
    return Result(
        "machine",
        {"mebibytes": mebibytes, "additions": additions, "runs": times},
        (
            Figure("digested", "MiB/s of one core", tuple(_digested(mebibytes) for _ in range(times))),
            Figure("added", "million additions/s of one core", tuple(_added(additions) for _ in range(times))),
        ),
    )


def _digested(mebibytes: int) -> float:
    start = time.process_time()
    digest = hashlib.sha256()
    for _ in range(mebibytes):
        digest.update(_BLOCK)
    return mebibytes / (time.process_time() - start)


def _added(additions: int) -> float:
    start, total = time.process_time(), 0
    for each in range(additions):
        total += each
    return additions / 1e6 / (time.process_time() - start)
