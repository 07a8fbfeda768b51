"""How far the answers alone and in company are from one another: a histogram, and the gate."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figures import Report
from tests.benchmarks.pictures.style import GREY, INK, MISSED, OTHER, OURS, picture

_EXACT = -10.0  # where those that are equal are drawn


def draw(report: Report, path: Path) -> None:
    distances = np.array(report.series["distances"])
    gate = np.log10(report.series["gate"])
    equal = distances == 0
    exponents = np.log10(distances[~equal])
    with picture(path, 11, 4.4, report.title, report.circumstances) as figure:
        axes: Any = figure.subplots()
        axes.set_title("Difference between the answer alone and the answer in company", pad=10)
        edges = np.arange(-9.5, gate + 1.01, 0.25)
        axes.bar([_EXACT], [equal.sum()], width=0.6, color=OTHER)
        axes.text(_EXACT, equal.sum(), f"{equal.mean():.0%}", ha="center", va="bottom")
        axes.hist(exponents.clip(edges[0], edges[-1]), edges, color=OURS, rwidth=0.92)
        axes.axvline(gate, color=MISSED, linewidth=2)
        axes.text(
            gate - 0.08,
            0.97,
            "gate",
            color=MISSED,
            ha="right",
            va="top",
            transform=axes.get_xaxis_transform(),
        )
        if len(exponents):
            axes.annotate(
                f"largest: {distances.max():.1e}",
                (exponents.max(), 1),
                xytext=(14, 40),
                textcoords="offset points",
                ha="left",
                color=INK,
                fontweight="bold",
                arrowprops={"arrowstyle": "-", "color": GREY},
            )
        ticks = range(-9, int(gate) + 2)
        axes.set_xticks([_EXACT, *ticks], ["equal", *(f"$10^{{{tick}}}$" for tick in ticks)])
        axes.set_xlabel("largest difference of any number, relative to max(1, |x|)")
        axes.set_ylabel("pairs of answers")
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
        axes.grid(axis="y")
