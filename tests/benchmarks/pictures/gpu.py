"""Rates on the device alone, plan by plan, and how far each is from the floor."""

from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Report, number
from tests.benchmarks.pictures.style import OTHER, OURS, bare_axes, picture


def draw(report: Report, path: Path) -> None:
    plans = report.series["plans"]
    kinds = ("adaptations", "predictions")
    with picture(path, 13, 1.6 + 2.4 * len(plans), report.title, report.circumstances) as figure:
        grid = figure.subplots(len(plans), len(kinds), squeeze=False)
        for line, model in zip(grid, plans, strict=True):
            for axes, kind in zip(line, kinds, strict=True):
                _bars(axes, model["model"], kind, [row for row in model["rows"] if row["kind"] == kind])


def _bars(axes: Any, model: str, kind: str, rows: list[dict[str, Any]]) -> None:
    axes.set_title(f"{model}: {kind} a second", pad=8)
    bare_axes(axes)
    rows = sorted(rows, key=lambda row: row["rate"])
    longest = rows[-1]["rate"]
    axes.set_xlim(0, longest * 1.75)
    axes.set_yticks(range(len(rows)), [row["plan"] for row in rows])
    for place, row in enumerate(rows):
        axes.barh(place, row["rate"], height=0.62, color=OURS if row["plan"].startswith("graph") else OTHER)
        told = f"{number(round(row['rate']))}/s   {share(row)} of the floor"
        axes.text(row["rate"] + 0.012 * longest, place, told, va="center").set_in_layout(False)


def share(row: dict[str, Any]) -> str:
    """Of the floor's rate, in percent of two digits."""
    percent = 100 * row["rate"] / row["floor"]
    return f"{float(f'{percent:.2g}'):g} %"
