"""Draws an evaluation: scores over shots and inner steps, and whether answers were as sure as they ought to be."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from app.cli.picture_style import GREY, INK, STYLE

_BLUE = "#1f6fb2"
_AXES = {"shots": "support examples", "steps": "inner steps"}
_TITLE_CHARACTERS = 44  # across one panel
# The score that is drawn is the first of these that there is: errors of tasks of all scales say less than nll.
_TITLES = {"accuracy": "accuracy", "return": "return", "nll": "negative log density", "loss": "squared error"}


def draw(metrics: Mapping[str, Any], title: str, path: Path, shots: str = "support examples") -> None:
    """Write the picture, as PNG or what else the file's name says; `shots` is what they are counted in.

    Raises ImportError without matplotlib.
    """
    # Figure itself, not pyplot: that would look for a display and keep every figure.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    curves = [
        (by, rows)
        for by, rows in (("shots", metrics.get("per_shot")), ("steps", metrics.get("per_step")))
        if rows
    ]
    calibration = metrics.get("calibration")
    panels = max(1, len(curves) + bool(calibration))
    with rc_context(STYLE):
        figure = Figure(figsize=(5 * panels, 4.4), layout="constrained")
        # Left to itself a long title runs out of the picture.
        title = "\n".join(wrap(title, _TITLE_CHARACTERS * panels))
        figure.suptitle(title, x=0.01, ha="left", weight="bold", color=INK)
        every = figure.subplots(1, panels, squeeze=False)[0]
        for axes, (by, rows) in zip(every, curves, strict=False):
            _curve(axes, by, rows)
            if by == "shots":
                axes.set_xlabel(shots)
            if "accuracy" in rows[0]:
                axes.yaxis.set_major_formatter(_per_cent)
        if calibration:
            _reliability(every[len(curves)], calibration)
        figure.savefig(path, dpi=130)


def _curve(axes: Any, by: str, rows: list[dict[str, float]]) -> None:
    score = next(name for name in _TITLES if name in rows[0])
    rows = [row for row in rows if row[score] is not None]  # null: it was not finite
    at, values = [row[by] for row in rows], [row[score] for row in rows]
    spread = [row[f"{score}_ci95"] or 0.0 for row in rows]
    axes.fill_between(
        at,
        [value - half for value, half in zip(values, spread, strict=True)],
        [value + half for value, half in zip(values, spread, strict=True)],
        color=_BLUE,
        alpha=0.2,
        linewidth=0,
        label="95 % interval of the mean",
    )
    axes.plot(at, values, color=_BLUE, linewidth=2, marker="o")
    axes.set_title(f"{_TITLES[score]} by {by}")
    axes.set_xlabel(_AXES[by])
    axes.set_xticks(at)
    if score == "loss" and values and min(values) > 0 and max(values) > 20 * min(values):
        axes.set_yscale("log")
    axes.legend(loc="best")


def _per_cent(share: float, _: int) -> str:
    return f"{100 * share:.3g}%"


def _reliability(axes: Any, calibration: Mapping[str, Any]) -> None:
    bins, confidence = calibration["bins"], calibration["kind"] == "confidence"
    expected, observed = [one["expected"] for one in bins], [one["observed"] for one in bins]
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="as sure as it is right")
    largest = max(one["count"] for one in bins)
    sizes = [15 + 120 * one["count"] / largest if confidence else 30 for one in bins]
    axes.plot(expected, observed, color=_BLUE, linewidth=1.5)
    # Who is always sure and right stands in the corner, and is to be seen whole.
    axes.scatter(expected, observed, s=sizes, color=_BLUE, zorder=3, clip_on=False)
    axes.set_title(f"calibration error {calibration['error']:.1%}")
    axes.set_xlabel("confidence" if confidence else "share that ought to lie within")
    axes.set_ylabel("share of right answers" if confidence else "share that lies within")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(loc="upper left")
