"""Where the wheels of the development group put their programs."""

import sysconfig
from pathlib import Path


def time_skipping_server() -> str:
    """Temporal's time-skipping test server."""
    return str(Path(sysconfig.get_path("scripts")) / "temporal-test-server")
