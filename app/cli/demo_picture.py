"""Draws the demonstration: what four points did to the model's answers, and what a few do of other curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.cli.four_points import QUERIES, SUPPORT_X, SUPPORT_Y, Result, Sketch
from app.cli.picture_style import INK, STYLE

_BEFORE, _AFTER, _TRUTH = "#c2703d", "#1f6fb2", "#11151c"
_HEIGHT = (-8.0, 24.0)


def draw(result: Result, path: Path) -> None:
    """Write the picture as a PNG. Raises ImportError where matplotlib is not installed."""
    # Figure itself, not pyplot: that would look for a display and keep every figure.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(12, 6.2), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=(3, 2), squeeze=False)[0]
        _curves(left.subplots(), result)
        if result.sketches:
            right.suptitle(
                "The same base, other tasks", x=0.09, ha="left", weight="bold", fontsize=12, color=INK
            )
            for axes, sketch in zip(
                right.subplots(len(result.sketches), sharex=True), result.sketches, strict=True
            ):
                _sketch(axes, sketch)
        figure.savefig(path, dpi=130)


def _sketch(axes: Any, sketch: Sketch) -> None:
    task = sketch.task
    truth = [task.curve(x) for x in sketch.x]
    axes.set_title(task.title, weight="normal", fontsize=10)
    _band(axes, sketch.x, sketch.values, sketch.stds, _AFTER, 0.25)
    axes.plot(sketch.x, sketch.values, color=_AFTER, linewidth=2)
    axes.plot(sketch.x, truth, color=_TRUTH, linewidth=1.4, linestyle=(0, (1, 2)), zorder=4)
    axes.scatter(task.measured, [task.curve(x) for x in task.measured], s=32, color=INK, zorder=5)
    axes.set_xlim(min(sketch.x), max(sketch.x))
    room = 0.35 * (max(truth) - min(truth))
    axes.set_ylim(min(truth) - room, max(truth) + room)


def _curves(axes: Any, result: Result) -> None:
    x = [point.x for point in result.curve]
    before, after = [point.before for point in result.curve], [point.after for point in result.curve]
    axes.set_title("Four points of y = 2x, before and after adapting")
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    _band(axes, x, before, [point.before_std for point in result.curve], _BEFORE, 0.08)
    axes.plot(
        x,
        before,
        color=_BEFORE,
        linewidth=1.5,
        linestyle="--",
        label="before adapting (± 2 std reaches beyond)",
    )
    _band(axes, x, after, [point.after_std for point in result.curve], _AFTER, 0.25)
    axes.plot(x, after, color=_AFTER, linewidth=2.2, label="after adapting (± 2 std)")
    truth = [point.truth for point in result.curve]
    # On top: the prediction lies on it and would hide it.
    axes.plot(x, truth, color=_TRUTH, linewidth=1.6, linestyle=(0, (1, 2)), zorder=4, label="truth, y = 2x")
    axes.scatter(SUPPORT_X, SUPPORT_Y, s=55, color=INK, zorder=5, label="the four points")
    answers = [point.after for point in result.points]
    axes.scatter(
        QUERIES,
        answers,
        s=70,
        marker="D",
        facecolor="white",
        edgecolor=_AFTER,
        linewidth=2,
        zorder=6,
        label="predicted, not given",
    )
    for point in result.points:
        axes.annotate(
            f"{point.after:.2f}",
            (point.x, point.after),
            xytext=(10, -14),
            textcoords="offset points",
            color=_AFTER,
            weight="bold",
        )
    axes.set_xlim(min(x), max(x))
    # Before adapting it is sure of nothing: its band leaves the picture.
    axes.set_ylim(*_HEIGHT)
    axes.legend(loc="upper left")


def _band(
    axes: Any, x: Sequence[float], middle: list[float], stds: list[float], color: str, alpha: float
) -> None:
    low = [value - 2 * std for value, std in zip(middle, stds, strict=True)]
    high = [value + 2 * std for value, std in zip(middle, stds, strict=True)]
    axes.fill_between(x, low, high, color=color, alpha=alpha, linewidth=0)
