"""Writes the results into the documentation: `uv run python -m benchmarks.pages`.

Between `<!-- results: NAME -->` and `<!-- end of results -->` in the pages of `docs` comes what
`docs/benchmarks/NAME.json` says, as a table, with its drawing.
"""

import re
from pathlib import Path
from typing import Final

from benchmarks.results import Figure, Result, load, told

DOCS: Final = Path(__file__).parents[1] / "docs"
_YES_NO: Final = {None: "", True: "yes", False: "no"}
_SECTION: Final = re.compile(r"(<!-- results: ([\w.-]+) -->\n).*?(<!-- end of results -->)", re.DOTALL)


def written(page: str, results: Path, beside: str = "benchmarks") -> str:
    """The page with its results; `beside` is where the folder of results is as the page sees it."""

    def section(found: "re.Match[str]") -> str:
        file = results / f"{found[2]}.json"
        text = markdown(load(file), _drawing(file, beside)) if file.exists() else "Not taken yet.\n"
        return f"{found[1]}{text}{found[3]}"

    return _SECTION.sub(section, page)


def markdown(result: Result, drawing: str) -> str:
    """A result as tables: ratios first, which are what the figures were taken for."""
    machine, options = result.machine, ", ".join(_option(name, value) for name, value in result.options.items())
    taken = (
        f"Taken on {result.taken_at[:10]}: {machine.cores} cores, {machine.memory_gib} GiB, Python {machine.python}."
    )
    parts = [drawing, f"{taken} {options[:1].upper()}{options[1:]}.", _ratios(result), _figures(result)]
    return "\n" + "\n\n".join(part for part in (*parts, *result.notes) if part) + "\n\n"


def _option(name: str, value: str | float) -> str:
    return f"{name} {value if isinstance(value, str) else told(value)}"


def _ratios(result: Result) -> str:
    rows = [f"| {each.name} | {told(each.value)} | {each.aim} | {_YES_NO[each.reached]} |" for each in result.ratios]
    return "\n".join(("| ratio | value | aim | reached |", "|---|---:|---|---|", *rows)) if rows else ""


def _figures(result: Result) -> str:
    rows = [f"| {each.name} | {told(each.median)} | {_around(each)} | {each.unit} |" for each in result.figures]
    return "\n".join(("| measure | median | least | most | unit |", "|---|---:|---:|---:|---|", *rows))


def _around(figure: Figure) -> str:
    """The least and the most, where there was more than one run."""
    return f"{told(figure.least)} | {told(figure.most)}" if len(figure.runs) > 1 else " | "


def _drawing(file: Path, beside: str) -> str:
    drawn = file.with_suffix(".svg")
    return f"![{file.stem}]({beside}/{drawn.name})" if drawn.exists() else ""


def main() -> None:
    """Write all pages that have a place for results."""
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text()
        after = written(before, DOCS / "benchmarks")
        if after != before:
            page.write_text(after)
            print(page)


if __name__ == "__main__":
    main()
