"""Coverage-guided fuzzing of one target, or of all in turn (the first byte chooses).

python -m tests.fuzz [TARGET] [-runs=N] [-max_len=BYTES] […]      options are libFuzzer's
"""

import sys

import atheris

with atheris.instrument_imports(include=["contactsync"]):  # pyright: ignore[reportAttributeAccessIssue]  # untyped
    from tests.fuzz.targets import TARGETS

_MEMORY_MEGABYTES = 1024


def one_of_all(data: bytes) -> None:
    """Give the rest to the target that the first byte chooses."""
    if data:
        list(TARGETS.values())[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    """Fuzz until libFuzzer ends: with 0 after its runs, with another code on a crash."""
    names = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    target = TARGETS[names[0]] if names else one_of_all
    atheris.Setup([sys.argv[0], f"-rss_limit_mb={_MEMORY_MEGABYTES}", "-timeout=10", *options], target)
    atheris.Fuzz()


main()
