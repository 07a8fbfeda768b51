"""The suite of cheetahs at a size of moments: an ended run goes on, and its report tells what there was."""

from pathlib import Path

import pytest
import torch

from models.training.config import MetaTrainingConfig
from tests.benchmarks import half_cheetah
from tests.benchmarks.cheetah_direction import GOAL
from tests.benchmarks.few_shot import config_of
from tests.benchmarks.options import Options

pytest.importorskip("gymnasium")
pytest.importorskip("mujoco")


def small(iterations: int) -> MetaTrainingConfig:
    changes = {
        "tasks": {"horizon": 5, "n_trajectories": 2},
        "training": {"meta_batch_size": 2, "iterations": iterations},
        "learner": {"network": {"hidden": (4,)}},
    }
    return config_of(GOAL.recipe, changes)


def test_a_run_that_was_ended_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    half_cheetah.train(GOAL, small(1), tmp_path / "ended")
    ended = half_cheetah.train(GOAL, small(2), tmp_path / "ended")
    whole = half_cheetah.train(GOAL, small(2), tmp_path / "whole")
    assert [one["iteration"] for one in ended.curve] == [1, 2]
    for name, value in whole.trainer.meta_params.items():
        assert torch.equal(ended.trainer.meta_params[name], value)
    report = half_cheetah.report_of(GOAL, small(2), ended, Options(rounds=2), tasks=2)
    assert [one.what for one in report.figures][:2] == [
        "after 2 of 100 iterations, step 0",
        "after 2 of 100 iterations, step 1",
    ]
    assert report.figures[1].value == report.series["runs"][0]["scores"]["return_step_1"]
    assert "MAML 293.2 ± 17.2" in report.figures[1].beside
    assert {name: len(rounds) for name, rounds in report.series["rates"].items()} == {
        "together": 2,
        "one by one": 2,
    }
