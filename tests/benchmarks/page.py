"""docs/benchmarks.md, from the JSON of every suite that was ever run here: one may be run again alone.

Knows the files; also the one of meta-training, which has a form of its own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.benchmarks.figures import FOLDER, TIMES, Figure, Report, number, read_report, rows_of

ORDER = (
    "service",
    "serving",
    "tiers",
    "million",
    "invariance",
    "soak",
    "four_points",
    "students",
    "tables",
    "table_recipe",
    "recipe_times",
    "recipe_times_gpu",
    "navigation",
    "cheetah_direction",
    "cheetah_velocity",
    "lifetime",
    "meta_training",
    "gpu",
    "meta_training_gpu",
    "sinusoid_quality",
    "clinc",
    "clinc_labels",
    "clinc_names",
    "omniglot",
    "alphabets",
    "alphabets_gpu",
    "digits",
)


def write(shown: Sequence[str], folder: Path = FOLDER) -> str:
    """Write the page beside the folder, and give the tables of the suites that are to be `shown`."""
    reports = {report.suite: report for report in reports_in(folder)}
    sections = [section(report, folder) for report in reports.values()]
    folder.with_suffix(".md").write_text("\n".join([_HEAD, *sections]))
    asked = [reports[suite] for suite in shown if suite in reports]
    return "\n\n".join("\n".join([report.title, *rows_of(report.figures)]) for report in asked)


def reports_in(folder: Path) -> list[Report]:
    """In the page's order."""
    found = []
    for suite in ORDER:
        path = folder / f"{suite}.json"
        if path.exists():
            own = suite.startswith("meta_training")
            found.append(meta_training_report(path) if own else read_report(path))
    return found


def section(report: Report, folder: Path) -> str:
    picture = folder / f"{report.suite}.png"
    shown = [f"![{report.title}]({folder.name}/{picture.name})", ""] if picture.exists() else []
    text = [f"## {report.title}", "", report.how, "", report.circumstances, ""]
    return "\n".join([*text, *rows_of(report.figures), "", *shown])


def meta_training_report(path: Path) -> Report:
    """The report that its record stands for: ours against each contender, beside the rate and the floor."""
    record: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    device = record.get("device", "cpu")
    # Kernels of a GPU round otherwise.
    where, gate = ("", 1e-5) if device == "cpu" else (" on a GPU", 1e-4)
    figures = []
    for setting in record["settings"]:
        for row in setting["rows"]:
            rate, share = row["tasks_per_second"], row["share_of_floor"]
            beside = (
                f"{row['contender']}: {number(rate)} tasks/s, {share:.1%} of the floor by matrix products"
            )
            figures.append(
                Figure(
                    what=f"{setting['setting']}: against {row['contender']}",
                    value=row["ours_is_faster_by"],
                    unit=TIMES,
                    at_least=row["gate"],
                    beside=beside,
                )
            )
        for peer, apart in setting["relative_difference_of_meta_gradients"].items():
            figures.append(
                Figure(what=f"meta-gradient against {peer}'s, relative difference", value=apart, at_most=gate)
            )
    return Report(
        suite=path.stem,
        title=f"Meta-training{where}, beside torchopt and higher",
        how="Tasks a second of the whole job: sampling, meta-gradient and Adam count on all sides.",
        seed=record.get("seed", 0),
        scale={"turns": record["turns"]},
        figures=figures,
        series=record,
        date=record["date"],
        device=device,
        cpus=record["cores"],
        machine=record["machine"],
        python=record["python"],
        torch=record["torch"],
    )


_HEAD = """# Benchmarks

Measured by `make bench`, which rewrites this page; `make bench SUITE=serving` runs one suite alone. Ratios are of
figures of one round in one run, and the median of the rounds is told.
"""
