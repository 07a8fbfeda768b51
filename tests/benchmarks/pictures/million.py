"""What one of very many adapted models takes, and how long it takes to ask among them."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figures import Figure, Report, number
from tests.benchmarks.pictures.style import GREY, INK, MISSED, OTHER, OURS, bare_axes, picture


def draw(report: Report, path: Path) -> None:
    figures = {figure.what: figure for figure in report.figures}
    with picture(path, 12, 5, report.title, report.circumstances) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(2, 3))
        _bytes(left, report.series["raw"], [figures["on disk, each"], figures["in memory, each"]])
        _latencies(right, report.series["latencies"], figures)


def _bytes(axes: Any, raw: float, figures: list[Figure]) -> None:
    axes.set_title("Bytes of one adapted model", pad=10)
    bare_axes(axes)
    axes.set_yticks(range(len(figures)), [one.what.removesuffix(", each") for one in figures])
    longest = max(max(one.value, one.at_most or 0.0) for one in figures)
    axes.set_xlim(0, longest * 1.25)
    axes.set_ylim(-0.7, len(figures) - 0.2)
    for place, one in enumerate(figures):
        axes.barh(place, raw, height=0.5, color=OURS, label="its numbers" if place == 0 else None)
        axes.barh(
            place,
            one.value - raw,
            left=raw,
            height=0.5,
            color=OTHER,
            label="all else" if place == 0 else None,
        )
        axes.text(raw / 2, place, number(raw), ha="center", va="center", color="white")
        axes.text((raw + one.value) / 2, place, number(round(one.value - raw)), ha="center", va="center")
        assert one.at_most is not None
        axes.plot([one.at_most] * 2, [place - 0.33, place + 0.33], color=MISSED, linewidth=2)
        axes.text(
            one.at_most,
            place + 0.35,
            f"gate {number(one.at_most)}",
            color=MISSED,
            fontsize=9,
            ha="center",
            va="bottom",
        )
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, -0.12), ncols=2, fontsize=9, labelcolor=GREY)


def _latencies(axes: Any, latencies: dict[str, list[float]], figures: dict[str, Figure]) -> None:
    axes.set_title("Milliseconds to answer one client, over HTTP", pad=10)
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_xscale("log")
    names = list(latencies)[::-1]
    for place, name in enumerate(names):
        values = np.array(latencies[name])
        low, middle, late = np.percentile(values, [1, 50, 99])
        gate = figures[f"{name}, p99"].at_most
        axes.plot([low, late], [place, place], color=OURS, linewidth=7, alpha=0.25, solid_capstyle="round")
        axes.scatter([middle], [place], s=44, color=OURS, zorder=3)
        axes.scatter([late], [place], s=44, facecolor="white", edgecolor=OURS, linewidth=1.8, zorder=3)
        axes.text(late, place + 0.2, f"{late:.3g}", ha="center", fontsize=9, color=INK)
        axes.plot([gate, gate], [place - 0.33, place + 0.33], color=MISSED, linewidth=2)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("dot: p50, ring: p99, bar: p1 to p99, red: gate", color=GREY, fontsize=9)
