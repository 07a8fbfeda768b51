"""Draws the demonstration: how the training went, and what four points did to the model's answers."""

from pathlib import Path
from typing import Any

from app.cli.four_points import QUERIES, SUPPORT_X, SUPPORT_Y, Result

_INK, _GREY, _BEFORE, _AFTER, _TRUTH = "#1b2330", "#8a94a6", "#c2703d", "#1f6fb2", "#11151c"
_STYLE: Any = {
    "font.size": 10,
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e9ef",
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
}


def draw(result: Result, path: Path) -> None:
    """Write the picture as a PNG. Raises ImportError where matplotlib is not installed."""
    # Figure itself, not pyplot: that would look for a display and keep every figure.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(12, 5), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(2, 3))
        _training(left, result)
        _curves(right, result)
        figure.savefig(path, dpi=130)


def _training(axes: Any, result: Result) -> None:
    axes.set_title("Meta-training")
    axes.set_xlabel("iteration")
    axes.set_ylabel("meta-loss")
    if not result.losses:
        axes.text(0.5, 0.5, "trained before", transform=axes.transAxes, ha="center", color=_GREY)
        return
    iterations, losses = zip(*result.losses, strict=True)
    axes.plot(iterations, losses, color=_GREY, linewidth=1, alpha=0.7, label="mean over a window")
    axes.plot(iterations, _smooth(losses), color=_INK, linewidth=2, label="smoothed")
    axes.legend(loc="upper right")


def _smooth(values: tuple[float, ...], weight: float = 0.85) -> list[float]:
    smoothed, level = [], values[0]
    for value in values:
        level = weight * level + (1 - weight) * value
        smoothed.append(level)
    return smoothed


def _curves(axes: Any, result: Result) -> None:
    x = [point.x for point in result.curve]
    before, after = [point.before for point in result.curve], [point.after for point in result.curve]
    axes.set_title("Four points of y = 2x, before and after adapting")
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    _band(axes, x, before, [point.before_std for point in result.curve], _BEFORE, 0.12)
    axes.plot(x, before, color=_BEFORE, linewidth=1.5, linestyle="--", label="before adapting (± 2 std)")
    _band(axes, x, after, [point.after_std for point in result.curve], _AFTER, 0.25)
    axes.plot(x, after, color=_AFTER, linewidth=2.2, label="after adapting (± 2 std)")
    truth = [point.truth for point in result.curve]
    # On top: the prediction lies on it and would hide it.
    axes.plot(x, truth, color=_TRUTH, linewidth=1.6, linestyle=(0, (1, 2)), zorder=4, label="truth, y = 2x")
    axes.scatter(SUPPORT_X, SUPPORT_Y, s=55, color=_INK, zorder=5, label="the four points")
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
    axes.set_ylim(*_height(result))
    axes.legend(loc="upper left")


def _height(result: Result) -> tuple[float, float]:
    """Room for the answers, and for where the base model is surest; elsewhere its band leaves the picture."""
    surest = min(2 * point.before_std for point in result.curve)
    answers = [point.after for point in result.curve]
    return min(-1.25 * surest, min(answers) - 2), max(1.5 * surest, max(answers) + 8)


def _band(
    axes: Any, x: list[float], middle: list[float], stds: list[float], color: str, alpha: float
) -> None:
    low = [value - 2 * std for value, std in zip(middle, stds, strict=True)]
    high = [value + 2 * std for value, std in zip(middle, stds, strict=True)]
    axes.fill_between(x, low, high, color=color, alpha=alpha, linewidth=0)
