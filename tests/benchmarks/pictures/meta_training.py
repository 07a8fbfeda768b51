"""Tasks a second of every way to meta-train, setting by setting, and how many times faster the best of ours is."""

from pathlib import Path
from typing import Any

from tests.benchmarks.figures import TIMES, Report, number
from tests.benchmarks.pictures.style import OTHER, OURS, bare_axes, picture


def draw(report: Report, path: Path) -> None:
    settings = report.series["settings"]
    with picture(path, 11, 1.4 + 2.6 * len(settings), report.title, report.circumstances) as figure:
        for axes, setting in zip(figure.subplots(len(settings), squeeze=False).flat, settings, strict=True):
            _bars(axes, setting)


def _bars(axes: Any, setting: dict[str, Any]) -> None:
    axes.set_title(f"{setting['setting']}: tasks a second", pad=8)
    bare_axes(axes)
    rows = sorted(setting["rows"], key=lambda row: row["tasks_per_second"])
    longest = rows[-1]["tasks_per_second"]
    axes.set_xlim(0, longest * 1.5)
    axes.set_yticks(range(len(rows)), [row["contender"] for row in rows])
    for place, row in enumerate(rows):
        own = row["contender"].startswith("ours")
        rate, times = row["tasks_per_second"], row["ours_is_faster_by"]
        axes.barh(place, rate, height=0.62, color=OURS if own else OTHER)
        told = (
            ""
            if times <= 1
            else f"   the best exact one of ours is {number(float(f'{times:.3g}'))}{TIMES} as fast"
        )
        label = axes.text(rate + 0.012 * longest, place, f"{number(round(rate))}/s{told}", va="center")
        label.set_fontweight("bold" if own else "normal")
        label.set_in_layout(False)
