"""Core dumps are off for good."""

import subprocess
import sys
from textwrap import dedent


def test_a_process_forbids_its_core_dumps() -> None:
    """Both limits are nothing afterwards."""
    script = dedent("""
        import resource
        from contactsync.codecs.keys.core_dumps import forbid_core_dumps
        forbid_core_dumps()
        print(resource.getrlimit(resource.RLIMIT_CORE))
    """)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert ended.stdout.strip() == "(0, 0)"
