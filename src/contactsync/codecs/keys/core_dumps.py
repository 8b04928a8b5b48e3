"""No core dumps: one would hold every key that the process has open."""

import resource


def forbid_core_dumps() -> None:
    """Set the limit on core files to nothing, for this process and those it starts; it cannot be raised again."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
