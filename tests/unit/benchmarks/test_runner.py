"""The runner of the benchmarks, on the tiniest one, and the form of results."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.options import Options
from benchmarks.pages import DOCS, written
from benchmarks.registry import MODULES, benchmark, options_named
from benchmarks.results import Figure, Ratio, Result, load, save, table
from rich.console import Console

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The runner as people call it."""
    argv = (sys.executable, "-m", "benchmarks", *arguments)
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 # ourselves


def test_a_benchmark_writes_its_json(tmp_path: Path) -> None:
    """A named benchmark prints its table, and its figures are in a file of its name."""
    told = ("--note", "Taken in a test.", "--out", str(tmp_path))
    done = run("machine", "--quick", "--runs", "2", "--set", "mebibytes=1", *told)
    assert done.returncode == 0, done.stderr
    assert ("digested" in done.stdout, "Taken in a test." in done.stdout) == (True, True)
    result = load(tmp_path / "machine.json")
    assert (result.benchmark, result.options["mebibytes"], result.machine.cores > 0) == ("machine", 1, True)
    assert [len(figure.runs) for figure in result.figures] == [2, 2]
    assert result.notes == ("Taken in a test.",)


def test_a_benchmark_that_fails_does_not_keep_others_from_running(tmp_path: Path) -> None:
    """The others run nevertheless, and at the end it is named."""
    done = run("scale", "machine", "--quick", "--out", str(tmp_path))
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "failed: scale")
    assert "`footprint` goes before" in done.stderr
    assert (tmp_path / "machine.json").exists()


def test_a_benchmark_ends_with_its_runner(tmp_path: Path) -> None:
    """When the runner is killed, what it runs does not go on behind its back."""
    long = ("--quick", "--set", "additions=20_000_000")
    argv = (sys.executable, "-m", "benchmarks", "machine", *long, "--out", str(tmp_path))
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True) as runner:  # noqa: S603 # ourselves
        assert runner.stderr is not None
        assert runner.stderr.readline() == "machine …\n"
        runner.kill()
        runner.stderr.read()  # until the benchmark has ended, too
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "no benchmark has the name nobody"),
        (("--set", "rows"), "NAME=VALUE"),
        (("machine", "--set", "contacts=5"), "has the option contacts"),
        (("machine", "--set", "engine.contacts=5"), "has the option engine.contacts"),
        (("machine", "--runs", "0"), "1 or more"),
    ],
)
def test_a_wrong_command_line_is_told(arguments: tuple[str, ...], said: str) -> None:
    """What cannot be meant ends with 2 and says why."""
    done = run(*arguments)
    assert (done.returncode, said in done.stderr) == (2, True)


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_is_there(name: str) -> None:
    """Each registered module can be imported and measures something."""
    assert callable(benchmark(name).measure)


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_tells_its_options(name: str) -> None:
    """The first lines of a module name every option that it reads, in their last sentence."""
    module = importlib.import_module(MODULES[name])
    read = re.findall(r'options\.(?:number|numbers|words)\(\s*"(\w+)"', inspect.getsource(module))
    assert set(read) <= options_named(name)


@pytest.mark.parametrize(
    ("value", "aim", "reached"),
    [(4.0, "≥ 4.0", True), (3.99, "≥ 4.0", False), (1.1, "≤ 1.10", True), (1.2, "≤ 1.10", False), (1.0, "", None)],
)
def test_an_aim_is_judged(value: float, aim: str, reached: bool | None) -> None:
    """A ratio reaches its aim or misses it; without an aim there is nothing to say."""
    assert Ratio("ratio", value, aim).reached is reached


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    """What is saved is loaded again, whole."""
    figures = (Figure("speed", "contacts/s", (3.0, 1.0, 2.0)), Figure.once("kills", "workers", 3))
    result = Result(
        "trial", {"contacts": 5, "shape": "flat"}, figures, (Ratio("ours / theirs", 5.0, "≥ 4.0"),), ("a note",)
    )
    assert load(save(result, tmp_path / "new")) == result
    assert (figures[0].median, figures[0].least, figures[0].most) == (2.0, 1.0, 3.0)
    console = Console(width=120, record=True)
    console.print(table(result))
    assert "reached" in console.export_text()


def test_options_are_read_by_their_kind() -> None:
    """`--set` goes before `--quick`, and that before what is usual."""
    options = Options(quick=True, further={"contacts": "20,000", "sizes": "1,2", "sides": "dlt"})
    assert options.number("contacts", usual=1, quick=2) == 20_000
    assert options.number("kills", usual=1, quick=2) == 2
    assert options.numbers("sizes", usual=(9,), quick=(8,)) == (1, 2)
    assert options.words("sides", usual=("all",)) == ("dlt",)
    both = Options(further={"contacts": "1", "growth.contacts": "2"})
    assert [both.of(name).further["contacts"] for name in ("growth", "codec")] == ["2", "1"]
    assert (options.times(5), Options().times(5), Options(runs=3).times(5)) == (1, 5, 3)
    with pytest.raises(SystemExit, match="sides takes a number, not 'dlt'"):
        options.number("sides", usual=1, quick=1)


def test_pages_get_their_results(tmp_path: Path) -> None:
    """Between its marks a page has the results there are, and says where there are none; the rest of it stays."""
    save(
        Result(
            "one",
            {"contacts": 20_000, "sizes": "1,2"},
            (Figure("speed", "contacts/s", (1234, 1230, 1240)),),
            (Ratio("a / b", 2.0, "≥ 4.0"),),
            ("One note.", "Another one."),
        ),
        tmp_path,
    )
    one, two = (f"<!-- results: {name} -->\nold\n<!-- end of results -->\n" for name in ("one", "two"))
    page = f"# Title\n{one}{two}end\n"
    first = written(page, tmp_path)
    assert "| speed | 1,234 | 1,230 | 1,240 | contacts/s |" in first
    assert "| a / b | 2 | ≥ 4.0 | no |" in first
    assert "Contacts 20,000, sizes 1,2." in first
    assert "\n\nOne note.\n\nAnother one.\n\n" in first
    assert ("old" in first, "Not taken yet." in first, first.endswith("end\n")) == (False, True, True)
    assert first.count("<!-- end of results -->") == 2
    assert written(first, tmp_path) == first


def test_the_documentation_says_what_was_taken() -> None:
    """Every page stands as its results have it, and every result that is kept is in one and drawn."""
    pages = {page.name: page.read_text() for page in DOCS.glob("*.md")}
    assert [name for name, text in pages.items() if written(text, DOCS / "benchmarks") != text] == []
    kept = sorted((DOCS / "benchmarks").glob("*.json"))
    assert [file.name for file in kept if f"<!-- results: {file.stem} -->" not in "".join(pages.values())] == []
    assert [file.name for file in kept if not file.with_suffix(".svg").exists()] == []
