"""What is known of a new student after some answers: the area under the curve, ours beside the others'."""

from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Report
from tests.benchmarks.pictures.style import LEAST, OTHER, OURS, picture


def draw(report: Report, path: Path) -> None:
    shots, areas = report.series["shots"], report.series["areas"]
    regressions = [areas[name] for name in areas if "terms" in name]
    with picture(path, 11, 4.2, report.title, report.circumstances) as figure:
        for place, axes in enumerate(figure.subplots(1, 2, sharey=True)):
            lines = {
                "skill's mean": [area[place] for area in areas["skill's mean"]],
                "student and skill terms": [
                    max(one[at][place] for one in regressions) for at in range(len(shots))
                ],
                "meta-trained": [area[place] for area in areas["meta-trained"]],
            }
            for (name, line), colour in zip(lines.items(), (LEAST, OTHER, OURS), strict=True):
                _bars(axes, list(lines).index(name), line, colour, name)
            axes.set_xticks(range(len(shots)), [f"after {count}" for count in shots])
            axes.set_title("the next answer" if place == 0 else "the next ten answers")
            axes.set_ylim(0.5, 0.85)
            axes.grid(axis="y")
            if place == 0:
                axes.legend(loc="upper center", ncols=3, fontsize=8)


def _bars(axes: Any, place: int, line: list[float], colour: str, name: str) -> None:
    bars = axes.bar(
        [at + 0.27 * (place - 1) for at in range(len(line))], line, width=0.25, color=colour, label=name
    )
    axes.bar_label(bars, fmt="%.3f", fontsize=8)
