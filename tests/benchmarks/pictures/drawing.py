"""The picture of a report: the suite's own, or its figures beside their gates."""

from pathlib import Path

from tests.benchmarks.figures import Report
from tests.benchmarks.pictures import (
    four_points,
    gates,
    gpu,
    invariance,
    lifetime,
    meta_training,
    million,
    returns,
    serving,
    soak,
    students,
    tables,
    tiers,
)

_OWN = {
    "serving": serving.draw,
    "tiers": tiers.draw,
    "million": million.draw,
    "invariance": invariance.draw,
    "soak": soak.draw,
    "four_points": four_points.draw,
    "students": students.draw,
    "tables": tables.draw,
    "table_recipe": tables.draw,
    "navigation": returns.draw,
    "cheetah_direction": returns.draw,
    "cheetah_velocity": returns.draw,
    "lifetime": lifetime.draw,
    "meta_training": meta_training.draw,
    "meta_training_gpu": meta_training.draw,
    "gpu": gpu.draw,
}


def draw(report: Report, path: Path) -> None:
    """None where a suite has neither a picture of its own nor gates; ImportError where matplotlib is missing."""
    gated = any(one.at_least is not None or one.at_most is not None for one in report.figures)
    if report.suite in _OWN or gated:
        _OWN.get(report.suite, gates.draw)(report, path)
