"""Return before and after each gradient step, beside the paper's, and how it came about over the iterations."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import cheetah_direction, cheetah_velocity, navigation
from tests.benchmarks.figures import Report
from tests.benchmarks.pictures.style import GREY, INK, LEAST, OTHER, OURS, WARM, picture

_COLOURS = (OTHER, WARM, "#7fb1d8", OURS)
# What was published of MAML after 0 to 3 steps, and the return of who knows the task.
_PUBLISHED = {
    "navigation": (navigation.PAPER, navigation.ORACLE),
    **{goal.suite: (goal.paper, goal.oracle) for goal in (cheetah_direction.GOAL, cheetah_velocity.GOAL)},
}


def draw(report: Report, path: Path) -> None:
    runs = report.series["runs"]
    with picture(path, 12, 4.8, report.title, report.circumstances) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(2, 3))
        _steps(left, runs, *_PUBLISHED[report.suite])
        _curve(right, runs)


def _steps(axes: Any, runs: list[dict[str, Any]], paper: Sequence[float], oracle: float) -> None:
    axes.set_title("Return after n gradient steps, unseen tasks", pad=10)
    steps = range(len(paper))
    each = [[run["scores"][f"return_step_{step}"] for run in runs] for step in steps]
    middle = [statistics.mean(one) for one in each]
    axes.bar([step - 0.2 for step in steps], middle, width=0.38, color=OURS, label="ours, mean of seeds")
    axes.bar([step + 0.2 for step in steps], paper, width=0.38, color=LEAST, label="MAML, Finn et al. 2017")
    for step in steps:
        axes.scatter([step - 0.2] * len(runs), each[step], s=12, color=INK, alpha=0.5, linewidth=0, zorder=3)
        end = min(each[step]) if middle[step] < 0 else max(each[step])
        _number(axes, step - 0.2, end, f"{middle[step]:.1f}", fontweight="bold")
        _number(axes, step + 0.2, paper[step], f"{paper[step]:.1f}", color=GREY)
    axes.axhline(oracle, color=GREY, linewidth=1, linestyle=":", label="knows the task")
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_xticks(steps)
    axes.set_xlabel("gradient steps")
    axes.margins(y=0.12)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, fontsize=9)
    axes.grid(axis="y")


def _number(axes: Any, place: float, end: float, text: str, **look: Any) -> None:
    """Beyond a bar's end, away from 0."""
    aside = -3 if end < 0 else 3
    axes.annotate(
        text,
        (place, end),
        xytext=(0, aside),
        textcoords="offset points",
        ha="center",
        va="top" if end < 0 else "bottom",
        **look,
    )


def _curve(axes: Any, runs: list[dict[str, Any]]) -> None:
    axes.set_title("Return in meta-training, each seed", pad=10)
    names = sorted(name for name in runs[0]["curve"][0] if name.startswith("return_step_"))
    for name, colour in zip(names, _COLOURS, strict=False):
        for number, run in enumerate(runs):
            iterations = [point["iteration"] for point in run["curve"]]
            label = f"after {name.rpartition('_')[2]} steps" if number == 0 else None
            axes.plot(
                iterations, [point[name] for point in run["curve"]], color=colour, linewidth=1.3, label=label
            )
    axes.set_xlabel("outer steps")
    axes.legend(loc="best", fontsize=9)
    axes.grid(axis="y")
