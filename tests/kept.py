"""What of ours waits for the garbage collector."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def left_to_collect() -> Generator[list[str]]:
    """The classes of ours, in a list that is filled at the end, whose objects of this block only the garbage collector
    would find: they refer to themselves, and keep what they refer to until it comes by."""
    left: list[str] = []
    gc.freeze()
    gc.disable()
    try:
        yield left
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left += sorted({name for name in map(_name, gc.garbage) if name.startswith("contactsync.")})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        gc.unfreeze()


def _name(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
