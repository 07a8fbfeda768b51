"""Throughput as the working set outgrows the host tier, and where the models were found."""

import statistics
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import TIMES, Report, number
from tests.benchmarks.pictures.style import FAINT, GREY, INK, MISSED, OURS, WARM, picture

_TIERS = {"device": "#7fb1d8", "host": OURS, "store": WARM}
_NAMES = {"device": "device memory", "host": "host memory", "store": "read from the database"}


def draw(report: Report, path: Path) -> None:
    series = report.series
    labels = [
        "all resident" if times == 1 else f"{times}{TIMES} the tier" for times in series["times_the_tier"]
    ]
    with picture(path, 12, 4.8, report.title, report.circumstances) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _throughput(left, series, labels)
        _hits(right, series, labels)


def _throughput(axes: Any, series: Any, labels: list[str]) -> None:
    axes.set_title("Predictions a second, of all-resident's in the same round", pad=10)
    first = series["rates"][0]
    places = range(len(labels))
    ratios = [[one / all_ for one, all_ in zip(rates, first, strict=True)] for rates in series["rates"]]
    middle = [statistics.median(one) for one in ratios]
    axes.bar(places, middle, width=0.58, color=OURS)
    for place, (one, rates) in enumerate(zip(ratios, series["rates"], strict=True)):
        axes.scatter([place] * len(one), one, s=12, color=INK, alpha=0.45, linewidth=0, zorder=3)
        text = f"{middle[place]:.2f}\n{number(round(statistics.median(rates)))}/s"
        axes.text(place, max(one) + 0.03, text, ha="center", va="bottom", fontweight="bold")
    gated = series["times_the_tier"].index(series["gated"])
    axes.plot([gated - 0.42, gated + 0.42], [0.5, 0.5], color=MISSED, linewidth=2, zorder=4)
    axes.text(gated + 0.44, 0.5, "gate", color=MISSED, va="center", fontsize=9)
    axes.set_xticks(places, labels)
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, max(max(one) for one in ratios) * 1.25)
    axes.grid(axis="y")


def _hits(axes: Any, series: Any, labels: list[str]) -> None:
    axes.set_title("Where the models were found", pad=10)
    places = range(len(labels))
    bottom = [0.0] * len(labels)
    for tier, colour in _TIERS.items():
        shares = [hits.get(tier, 0.0) / max(1.0, sum(hits.values())) for hits in series["hits"]]
        if any(shares):
            axes.bar(places, shares, bottom=bottom, width=0.58, color=colour, label=_NAMES[tier])
            for place, share in enumerate(shares):
                if share > 0.04:
                    at = bottom[place] + share / 2
                    axes.text(place, at, f"{share:.0%}", ha="center", va="center", color="white", fontsize=9)
        bottom = [low + share for low, share in zip(bottom, shares, strict=True)]
    axes.set_xticks(places, labels, fontsize=9)
    axes.set_yticks([])
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(length=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=3, fontsize=9, labelcolor=GREY)
