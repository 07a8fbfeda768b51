"""The four points: what each network says after its steps, and how its errors fall, a line for each seed."""

from pathlib import Path
from typing import Any

from app.cli.four_points import SUPPORT_X, SUPPORT_Y, TOLERANCE, truth
from tests.benchmarks.figures import Report
from tests.benchmarks.pictures.style import GREY, INK, OTHER, OURS, WARM, picture

_COLOURS = {"from scratch": OTHER, "pretrained": WARM, "meta-trained": OURS}


def draw(report: Report, path: Path) -> None:
    recipes = report.series["recipes"]
    with picture(path, 11, 3.6 * len(recipes) + 0.8, report.title, report.circumstances) as figure:
        rows: Any = figure.subplots(len(recipes), 2, squeeze=False)
        for (left, right), (name, contenders) in zip(rows, recipes.items(), strict=True):
            _curves(left, name, contenders, report.series["x"])
            _errors(right, contenders)
        rows[0][0].legend(loc="upper left")


def _curves(axes: Any, name: str, contenders: dict[str, Any], x: list[float]) -> None:
    axes.set_title(name)
    axes.plot(x, [truth(one) for one in x], color=GREY, linestyle=":", label="truth")
    for what, of_seeds in contenders.items():
        for place, one in enumerate(of_seeds):
            label = None if place else what
            axes.plot(x, one["curve"], color=_COLOURS[what], linewidth=1.4, alpha=0.8, label=label)
    axes.scatter(SUPPORT_X, SUPPORT_Y, color=INK, zorder=3, s=28)
    axes.set_ylim(-8, 22)
    axes.grid(visible=True)
    axes.set_xlabel("x, after the last step")


def _errors(axes: Any, contenders: dict[str, Any]) -> None:
    for what, of_seeds in contenders.items():
        for one in of_seeds:
            worst = [max(pair) for pair in one["errors"]]
            axes.plot(range(len(worst)), worst, color=_COLOURS[what], alpha=0.8, marker="o", markersize=2)
    axes.axhline(TOLERANCE, color=INK, linewidth=1.0)
    axes.set_yscale("log")
    axes.set_xlabel("steps; the larger of the errors at 5 and 6, the gate as a line")
    axes.grid(visible=True)
