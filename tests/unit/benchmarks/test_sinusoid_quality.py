"""The figures of the quality suite: means of seeds beside their gates, errors that are not finite included."""

import math
from pathlib import Path

import pytest

from models.training.recipes import RECIPES
from tests.benchmarks.figures import Report, read_report
from tests.benchmarks.sinusoid_quality import GATES, Gate, figures_of, finite

CONFIGS = {recipe.name: recipe.config for recipe in RECIPES}


def test_every_gate_is_one_of_a_recipe() -> None:
    assert {gate.recipe for gate in GATES} <= CONFIGS.keys()


def test_an_error_is_the_mean_of_its_seeds() -> None:
    gate = Gate("sinusoid-ridge", {"loss": 0.3}, cpu_seconds=10.0)
    runs = [
        {"loss": 0.25, "loss_ci95": 0.0196, "cpu_seconds": 8.0},
        {"loss": 0.45, "loss_ci95": 0.0392, "cpu_seconds": 6.0},
    ]
    error, seconds = figures_of(gate, CONFIGS[gate.recipe], runs)
    assert error.value == pytest.approx(0.35)
    assert not error.held
    assert "0.25 ± 0.01, 0.45 ± 0.02" in error.beside
    assert (seconds.value, seconds.held) == (7.0, True)


def test_a_diverged_run_holds_no_gate_and_can_be_written(tmp_path: Path) -> None:
    diverged = {"loss": finite(math.nan), "loss_ci95": finite(math.inf), "cpu_seconds": 8.0}
    gate = Gate("sinusoid-ridge", {"loss": 0.3})
    figures = figures_of(gate, CONFIGS[gate.recipe], [diverged])
    report = Report(suite="q", title="", how="", seed=0, scale={}, figures=figures, series={"q": [diverged]})
    written = read_report(report.write(tmp_path))
    assert not written.figures[0].held
    assert not written.held
