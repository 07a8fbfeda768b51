"""The adapted discount over two lives, beside their seasons, and every contender's return."""

import statistics
from pathlib import Path
from typing import Any

from models.environments.seasons import SUMMER
from tests.benchmarks.figures import Report
from tests.benchmarks.pictures.style import FAINT, GREY, INK, OTHER, OURS, picture

_SHOWN = 2


def draw(report: Report, path: Path) -> None:
    series = report.series
    shown = min(_SHOWN, len(series["seasons"]))
    with picture(path, 12, 2.4 * shown + 1.0, report.title, report.circumstances) as figure:
        grid = figure.add_gridspec(shown, 2, width_ratios=(3, 2))
        for life in range(shown):
            axes = figure.add_subplot(grid[life, 0])
            _discounts(axes, series, life)
            if life == 0:
                axes.set_title("Discount over the first lives; shaded is summer", pad=10)
        axes.set_xlabel("iterations")
        _returns(figure.add_subplot(grid[:, 1]), series)


def _discounts(axes: Any, series: dict[str, Any], life: int) -> None:
    every, seasons = series["every"], series["seasons"][life]
    for place, season in enumerate(seasons):
        if season == SUMMER:
            axes.axvspan(place * every, (place + 1) * every, color=FAINT, linewidth=0)
    iterations = [place * every for place in range(len(seasons))]
    axes.plot(iterations, series["discounts"][life], color=OURS, linewidth=1.5)
    axes.set_ylim(0, 1)
    axes.set_xlim(0, len(seasons) * every)
    axes.set_ylabel("discount")


def _returns(axes: Any, series: dict[str, Any]) -> None:
    axes.set_title("Mean return of a life", pad=10)
    rows = [("adapted", series["adapted"]), *((f"{one['discount']:g}", one) for one in series["fixed"])]
    for place, (_, row) in enumerate(rows):
        mean = statistics.mean(row["returns"])
        axes.barh(place, mean, height=0.7, color=OTHER if place else OURS)
        axes.scatter(
            row["returns"], [place] * len(row["returns"]), s=9, color=INK, alpha=0.4, linewidth=0, zorder=3
        )
        axes.text(0.3, place, f"{mean:.1f}", va="center", color=INK if place else "white", fontweight="bold")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set_ylabel("fixed discount", color=GREY)
    axes.grid(axis="x")
