"""The memory of each process while it is used, as a part of what it had when it was warm."""

import statistics
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figures import Report
from tests.benchmarks.pictures.style import GOOD, GREY, INK, MISSED, OURS, WARM, picture

_COLOURS = {"engine": OURS, "api": WARM, "worker": GOOD, "serve": GREY}
_GATE = 2.0


def draw(report: Report, path: Path) -> None:
    memory, minutes = report.series["memory"], report.series["minutes"]
    with picture(path, 11, 4.8, report.title, report.circumstances) as figure:
        axes: Any = figure.subplots()
        axes.set_title("Resident memory against the first tenth of the looks", pad=10)
        ends = []
        for name, looks in memory.items():
            first = statistics.median(looks[: max(1, len(looks) // 10)])
            percent = (np.array(looks) / first - 1) * 100
            colour = _COLOURS.get(name, INK)
            axes.plot(np.linspace(0, minutes, len(percent)), percent, color=colour, linewidth=1.8)
            ends.append((percent[-1], f"{name}, {looks[-1] / 1e6:.0f} MB", colour))
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, -1.0), max(high, _GATE * 1.25))
        axes.axhline(_GATE, color=MISSED, linewidth=2)
        axes.text(0, _GATE, " gate", color=MISSED, va="bottom")
        axes.set_xlim(0, minutes * 1.16)
        for height, (_, text, colour) in zip(_apart(axes, ends), sorted(ends), strict=True):
            axes.text(minutes * 1.01, height, text, color=colour, va="center", fontweight="bold")
        axes.set_xlabel("minutes")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:+g} %" if value else "0 %")
        axes.grid(axis="y")


def _apart(axes: Any, ends: list[tuple[float, str, str]]) -> list[float]:
    """Heights for the lines' names, lowest first, so that none lies on another."""
    low, high = axes.get_ylim()
    least = (high - low) * 0.06
    heights: list[float] = []
    for value, _, _ in sorted(ends):
        heights.append(max(value, heights[-1] + least) if heights else value)
    return heights
