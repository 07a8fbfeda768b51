"""Every gated figure beside its gate: how much room there is. For suites that have no picture of their own."""

import math
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.pictures.style import GOOD, GREY, INK, MISSED, picture

_LEAST = 1e-3
_WIDE = 5.0  # beyond which the axis is a logarithmic one
_NARROW = 0.05  # to either side of the gate there is so much at least: a hair's breadth is to look like one


def draw(report: Report, path: Path) -> None:
    gated = [one for one in report.figures if one.at_least is not None or one.at_most is not None][::-1]
    with picture(path, 11, 1.6 + 0.42 * len(gated), report.title, report.circumstances) as figure:
        axes: Any = figure.subplots()
        rooms = [_room(one) for one in gated]
        shown = (*rooms, 1 - _NARROW, 1 + _NARROW)
        axes.plot([min(shown), max(shown)], [0, 0], alpha=0)
        if max(rooms, default=1.0) / min(rooms, default=1.0) > _WIDE:
            axes.set_xscale("log")
        else:
            axes.locator_params(axis="x", nbins=4)
        for place, (one, room) in enumerate(zip(gated, rooms, strict=True)):
            axes.plot(
                [1, room],
                [place, place],
                color=GOOD if one.held else MISSED,
                linewidth=6,
                solid_capstyle="butt",
            )
            axes.scatter([room], [place], s=46, color=GOOD if one.held else MISSED, zorder=3)
        axes.axvline(1, color=INK, linewidth=1.2)
        axes.set_yticks(range(len(gated)), [f"{one.what.replace('`', '')}  " for one in gated])
        right = axes.secondary_yaxis("right")
        right.set_yticks(range(len(gated)), [f"  {one.measured}   (gate {one.gate})" for one in gated])
        for side in (right.spines["right"], axes.spines["left"]):
            side.set_visible(False)
        for ticks in (right, axes):
            ticks.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.grid(axis="x")
        axes.set_xlabel("times better than the gate asks", color=GREY)
        axes.set_ylim(-0.6, len(gated) - 0.4)


def _room(figure: Figure) -> float:
    """How many times better than its gate: below 1 where it is missed."""
    if figure.at_least is not None:
        room = figure.value / figure.at_least
    else:
        bound = figure.at_most or _LEAST
        room = (
            bound / max(figure.value, bound * _LEAST)
            if figure.at_most
            else float(figure.value == 0) or _LEAST
        )
    return min(max(room, _LEAST), 1 / _LEAST) if math.isfinite(room) else _LEAST
