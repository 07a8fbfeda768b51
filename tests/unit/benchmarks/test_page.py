"""The page is made of the suites' files, whichever there are."""

import json
from pathlib import Path

from tests.benchmarks import page
from tests.unit.benchmarks.test_figures import a_report

META_TRAINING = {
    "date": "2026-01-02",
    "cores": 2,
    "machine": "x86_64",
    "python": "3.11.7",
    "torch": "2.13.0",
    "turns": 5,
    "settings": [
        {
            "setting": "sinusoid",
            "rows": [
                {
                    "contender": "torchopt",
                    "tasks_per_second": 1275.8,
                    "share_of_floor": 0.005,
                    "ours_is_faster_by": 19.0,
                    "gate": 20.0,
                }
            ],
            "relative_difference_of_meta_gradients": {"torchopt": 8e-8},
        }
    ],
}


def test_a_suite_that_was_not_run_again_stays_on_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    for suite, title in (("tiers", "Tiers"), ("serving", "Serving")):
        a_report(suite, title=title).write(folder)
    (folder / "serving.png").touch()
    shown = page.write(["tiers", "unknown"], folder)
    written = (tmp_path / "benchmarks.md").read_text()
    assert written.index("## Serving") < written.index("## Tiers")
    assert "![Serving](benchmarks/serving.png)" in written
    assert "tiers.png" not in written
    assert "seed 3; rounds 5." in written
    assert shown.startswith("Tiers\n| what |")
    assert "Serving" not in shown


def test_meta_trainings_own_file_has_a_section(tmp_path: Path) -> None:
    (tmp_path / "meta_training.json").write_text(json.dumps(META_TRAINING))
    (report,) = page.reports_in(tmp_path)
    ratio, apart = report.figures
    assert (ratio.what, ratio.value, ratio.held) == ("sinusoid: against torchopt", 19.0, False)
    assert apart.held
    assert report.date == "2026-01-02"
    assert report.scale == {"turns": 5}
