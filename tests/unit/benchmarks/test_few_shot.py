"""Recipes by part, trained for iterations or for a time, scored, and kept in files of a size that travels."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig
from tests.benchmarks import few_shot

SMALL = {
    "learner": {"network": {"hidden": 8, "blocks": 2}},
    "tasks": {"n_way": 2, "n_query": 1},
    "training": {"iterations": 12},
}


@pytest.fixture(autouse=True)
def _untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing pays for long runs alone."""
    monkeypatch.setattr(few_shot, "quickest_plan", lambda trainer, config, data: trainer.plan)


@pytest.fixture
def data() -> LabelledData:
    labels = np.arange(3).repeat(12) % 3
    pitch = 0.2 + 0.3 * labels[:, None, None]
    series = np.sin(pitch * np.arange(12)[None, :, None] + np.arange(36)[:, None, None])
    return LabelledData.from_arrays(series, labels, np.arange(36) % 3)


def test_overrides_change_a_recipe_part_by_part() -> None:
    config = few_shot.config_of("digits-speakers", SMALL)
    plain = few_shot.config_of("digits-speakers", {})
    assert config.training == msgspec.structs.replace(plain.training, iterations=12)
    assert config.learner.algorithm == plain.learner.algorithm
    assert few_shot.with_training(config, seed=3).training.seed == 3


def test_a_recipe_is_trained_scored_and_kept(
    data: LabelledData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = few_shot.config_of("digits-speakers", SMALL)
    trained = few_shot.train(config, data, "cpu")
    assert trained.history[-1]["iteration"] == 12
    assert trained.plan == "vmap"
    scores = few_shot.score(trained, data, "cpu", episodes=5, seed=1)
    assert 0 <= scores["accuracy"] <= 1
    again = few_shot.score(trained, data, "cpu", episodes=5, seed=1, tasks={"n_shot": 2})
    assert again != scores
    monkeypatch.setattr(few_shot, "PART", 1000)
    kept: dict[str, object] = {}
    paths = few_shot.keep(trained.params, tmp_path, "digits", trained.config)
    assert len(paths) > 1
    for path in paths:
        kept |= load_file(path)
    assert kept.keys() == trained.params.keys()
    config, params = few_shot.kept(tmp_path, "digits")
    assert config == trained.config
    assert all(torch.equal(params[name], value) for name, value in trained.params.items())
    with pytest.raises(FileNotFoundError, match="other-0"):
        few_shot.kept(tmp_path, "other")


def test_a_time_is_turned_into_iterations(data: LabelledData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_shot, "probe", lambda trainer, plan: 0.5)
    config: MetaTrainingConfig = few_shot.config_of("digits-speakers", SMALL)
    trained = few_shot.train(config, data, "cpu", seconds=20.0)
    assert 20 <= trained.config.training.iterations <= few_shot.SHARE * 20.0 / 0.5
    assert trained.history[-1]["iteration"] == trained.config.training.iterations
    assert " of " not in trained.how_long
    cut = trained._replace(history=[{"iteration": 3.0}], seconds=2.0)
    assert cut.how_long.startswith(f"3 of {trained.config.training.iterations} (the time was over)")
