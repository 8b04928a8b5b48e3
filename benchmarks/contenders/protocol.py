"""How a contender is asked for passes: a JSON object a line on stdin, and the answer as a line on stdout.

Contenders are scripts with environments of their own, run with `uv run --script`; none is a dependency of contactsync.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A pass. `subject` names what keeps its state from pass to pass; `incremental` asks for changes where it can."""

    url: str
    database: str
    subject: str
    incremental: bool
    folder: str


def serve(name: str, run: Callable[[Task], None]) -> None:
    """Say that `name` is ready, and run the passes that are asked for until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    print(json.dumps({"ready": name}), file=answers)
    for line in sys.stdin:
        try:
            run(Task(**json.loads(line)))
        except Exception as error:  # whatever a contender fails by is told to who measures it, and ends it
            print(json.dumps({"error": repr(error)[:500]}), file=answers)
            raise
        print(json.dumps({"done": True}), file=answers)
