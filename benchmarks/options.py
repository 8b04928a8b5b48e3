"""What a benchmark is run with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`quick` asks for the smallest sizes; `runs` is how often each thing is measured; `further` is from `--set`;
    `folder` is where results are written."""

    quick: bool = False
    runs: int | None = None
    further: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: Path = Path("benchmark-results")

    def of(self, benchmark: str) -> "Options":
        """The same for one benchmark, where `BENCHMARK.NAME=VALUE` goes before `NAME=VALUE`."""
        own = {
            name.partition(".")[2]: value for name, value in self.further.items() if name.startswith(f"{benchmark}.")
        }
        return replace(self, further={**self.further, **own})

    def times(self, usual: int) -> int:
        """How often to measure each thing: what was asked for, or once if quick, or `usual`."""
        return self.runs or (1 if self.quick else usual)

    def number(self, name: str, *, usual: int, quick: int) -> int:
        """A number that `--set NAME=NUMBER` may give."""
        given = self.further.get(name)
        if given is not None:
            return _number(name, given.replace(",", ""))
        return quick if self.quick else usual

    def numbers(self, name: str, *, usual: tuple[int, ...], quick: tuple[int, ...]) -> tuple[int, ...]:
        """Numbers that `--set NAME=NUMBER,NUMBER` may give."""
        given = self.further.get(name)
        if given is not None:
            return tuple(_number(name, each) for each in given.split(","))
        return quick if self.quick else usual

    def words(self, name: str, *, usual: tuple[str, ...]) -> tuple[str, ...]:
        """Words that `--set NAME=WORD,WORD` may give."""
        given = self.further.get(name)
        return usual if given is None else tuple(given.split(","))


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SystemExit(f"{name} takes a number, not {text!r}") from None
