"""As `end_to_end`, over contacts whose properties are single texts: dlt has one table to write then, and not three.

Options: `contacts`, `processes`, `sides`.
"""

from benchmarks.end_to_end import raced
from benchmarks.options import Options
from benchmarks.results import Result


async def measure(options: Options) -> Result:
    """Everybody's passes, in turns."""
    return await raced("end_to_end_flat", "flat", options, usual=20_000)
