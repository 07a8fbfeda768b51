"""Throughput and latency of ours beside the plain service and the bare endpoint: bars, and every round on them."""

import statistics
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import TIMES, Report, number
from tests.benchmarks.pictures.style import GREY, INK, LEAST, OTHER, OURS, bare_axes, picture

_COLOURS = {"plain": OTHER, "ours": OURS, "bare": LEAST}
_NAMES = {"plain": "plain service", "ours": "innerloop", "bare": "bare endpoint"}


def draw(report: Report, path: Path) -> None:
    works = report.series["works"]
    with picture(path, 12, 6, report.title, report.circumstances) as figure:
        for axes, (work, samples) in zip(figure.subplots(2, 2).flat, works.items(), strict=True):
            what = "p50" if work.endswith("1 client") else "rate"
            _bars(axes, work, {name: samples[name][what] for name in ("bare", "ours", "plain")}, what)


def _bars(axes: Any, work: str, rounds: dict[str, list[float]], what: str) -> None:
    asked, clients = work.split(", ")
    done = {"adapt": "Adaptations", "predict": "Predictions"}[asked]
    title, unit, better = (
        (f"{done} a second, {clients}", "/s", "more is better")
        if what == "rate"
        else (f"{done}, {clients}: half are answered within", " ms", "less is better")
    )
    axes.set_title(title, pad=8)
    axes.text(0, -0.06, better, transform=axes.transAxes, color=GREY, fontsize=8)
    bare_axes(axes)
    middle = {name: statistics.median(values) for name, values in rounds.items()}
    longest = max(max(values) for values in rounds.values())
    # Room for what is written behind the longest bar.
    axes.set_xlim(0, longest * 2.4)
    axes.set_yticks(range(len(rounds)), [_NAMES[name] for name in rounds])
    axes.get_yticklabels()[list(rounds).index("ours")].set_fontweight("bold")
    for place, (name, values) in enumerate(rounds.items()):
        axes.barh(place, middle[name], height=0.62, color=_COLOURS[name])
        axes.scatter(values, [place] * len(values), s=10, color=INK, alpha=0.45, linewidth=0, zorder=3)
        label = axes.text(
            max(values) + 0.02 * longest,
            place,
            f"{number(float(f'{middle[name]:.3g}'))}{unit}{_against(name, rounds)}",
            va="center",
            fontweight="bold" if name == "ours" else "normal",
        )
        label.set_in_layout(False)


def _against(name: str, rounds: dict[str, list[float]]) -> str:
    """Of ours: how it stands to both, by the median of the rounds' ratios."""
    if name != "ours":
        return ""
    bare, plain = (
        statistics.median(one / other for one, other in zip(rounds["ours"], rounds[against], strict=True))
        for against in ("bare", "plain")
    )
    return f"   {_times(bare)} bare · {_times(plain)} plain"


def _times(ratio: float) -> str:
    return f"{ratio:.2f}{TIMES}" if ratio < 10 else f"{ratio:.0f}{TIMES}"
