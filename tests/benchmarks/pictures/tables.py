"""Small tables: each contender's mean rank, and how its accuracy grows with the labelled rows."""

import statistics
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Report
from tests.benchmarks.pictures.style import GREY, INK, OTHER, OURS, WARM, picture

_OURS = "prior-fitted transformer"
_SHADES = (WARM, OTHER, GREY, INK)


def draw(report: Report, path: Path) -> None:
    cells: list[dict[str, Any]] = report.series["cells"]
    names = [_OURS, *sorted({name for cell in cells for name in cell["scores"]} - {_OURS})]
    colours = dict(zip(names, (OURS, *_SHADES), strict=False))
    panels = [
        (metric, label)
        for metric, label in (("accuracy", "accuracy"), ("error", "error, in deviations of the target"))
        if any(metric in scores for cell in cells for scores in cell["scores"].values())
    ]
    with picture(path, 5.5 * len(panels), 4.6, report.title, report.circumstances) as figure:
        for axes, (metric, label) in zip(_each(figure.subplots(1, len(panels))), panels, strict=True):
            sizes = sorted({cell["size"] for cell in cells})
            for name in names:
                means = [_mean(cells, size, name, metric) for size in sizes]
                axes.plot(
                    sizes,
                    means,
                    color=colours[name],
                    marker="o",
                    linewidth=2.6 if name == _OURS else 1.4,
                    label=name,
                )
            axes.set_xscale("log", base=2)
            axes.set_xticks(sizes, [str(size) for size in sizes])
            axes.grid(axis="y")
            axes.set_title(f"Mean {label}")
            axes.set_xlabel("labelled rows", color=GREY)
        axes.legend()


def _each(axes: Any) -> list[Any]:
    return list(axes.flat) if hasattr(axes, "flat") else [axes]


def _mean(cells: list[dict[str, Any]], size: int, name: str, metric: str) -> float:
    """Over the tables that have the metric."""
    return statistics.mean(
        cell["scores"][name][metric]
        for cell in cells
        if cell["size"] == size and metric in cell["scores"][name]
    )
