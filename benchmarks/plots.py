# /// script
# requires-python = ">=3.11"
# dependencies = ["matplotlib==3.11.2"]
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# ///
"""Draws the results: `uv run --no-project --script benchmarks/plots.py [FOLDER]`, an SVG beside each JSON.

The same figures make the same bytes, so that a drawing changes only where a result does.
"""

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

Json = dict[str, Any]

mpl.use("svg")
mpl.rcParams |= {
    "svg.hashsalt": "contactsync",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
OURS, OTHERS, GOOD, BAD = "#2a6f97", "#a9b4bd", "#2e7d32", "#b23b3b"


def is_race(result: Json) -> bool:
    """Whether others are beside contactsync; figures are called `SIDE: WHAT` then."""
    return any(": contactsync / " in ratio["name"] for ratio in result["ratios"])


def panels(result: Json) -> list[tuple[str, list[Json]]]:
    """Figures by unit: each unit is a panel of its own. Of a race, what all sides did stands together."""
    units = defaultdict(list)
    for figure in result["figures"]:
        units[figure["unit"]].append(figure)
    for figures in units.values():
        if is_race(result):
            order = list(dict.fromkeys(figure["name"].partition(": ")[2] for figure in figures))
            figures.sort(key=lambda figure, order=order: order.index(figure["name"].partition(": ")[2]))
    return list(units.items())


def color(name: str, result: Json) -> str:
    """contactsync stands out where others are beside it."""
    return OURS if not is_race(result) or name.startswith("contactsync") else OTHERS


def bars(axes: Axes, unit: str, figures: list[Json], result: Json) -> None:
    """The medians, with a line from the least to the most."""
    names = [figure["name"] for figure in figures]
    medians = [statistics.median(figure["runs"]) for figure in figures]
    around = [
        [median - min(figure["runs"]) for median, figure in zip(medians, figures, strict=True)],
        [max(figure["runs"]) - median for median, figure in zip(medians, figures, strict=True)],
    ]
    axes.barh(names, medians, xerr=around, color=[color(name, result) for name in names], ecolor="#555", height=0.7)
    axes.invert_yaxis()
    axes.margins(x=0.1)  # room for the numbers
    axes.set_xlabel(unit)
    least = min((median for median in medians if median > 0), default=1)
    if max(medians) > 50 * least:
        axes.set_xscale("log")
    for place, figure in enumerate(figures):  # beside the longest run, so that its line does not cross the number
        most = max(*figure["runs"], 0)
        axes.annotate(told(figure["median"]), (most, place), xytext=(4, 0), textcoords="offset points", va="center")


def aims(axes: Axes, ratios: list[Json]) -> None:
    """Each ratio as a share of its aim: right of 1 it is reached, also where less is better."""
    shares = [share(ratio["value"], *ratio["aim"].split(" ")) for ratio in ratios]
    names = [f"{ratio['name']}: {told(ratio['value'])} (aim {ratio['aim']})" for ratio in ratios]
    axes.barh(names, shares, color=[GOOD if share >= 1 else BAD for share in shares], height=0.6)
    axes.axvline(1, color="#333", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlabel("aims reached: right of the line")


def share(value: float, sign: str, aim: str) -> float:
    """1 where the aim is just reached, more where it is passed."""
    return value / float(aim) if sign == "≥" else float(aim) / max(value, 1e-9)


def told(value: float) -> str:
    """A number as people read it."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def draw(file: Path) -> None:
    """One result."""
    result = json.loads(file.read_text())
    found, ratios = panels(result), [ratio for ratio in result["ratios"] if ratio["aim"]]
    heights = [len(figures) for _, figures in found] + ([len(ratios)] if ratios else [])
    drawn, axes = plt.subplots(
        len(heights), 1, figsize=(9, 0.26 * sum(heights) + 0.75 * len(heights)), height_ratios=heights, squeeze=False
    )
    for place, (unit, figures) in enumerate(found):
        bars(axes[place][0], unit, figures, result)
    if ratios:
        aims(axes[-1][0], ratios)
    drawn.tight_layout()
    target = file.with_suffix(".svg")
    drawn.savefig(target, metadata={"Date": None, "Creator": None})
    plt.close(drawn)
    text = target.read_text()
    target.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")
    print(target)


if __name__ == "__main__":
    for each in sorted(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/benchmarks").glob("*.json")):
        draw(each)
