"""Jobs and evaluations on a device that is not the CPU's: they say what the CPU's say, and mix no devices."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.spec import (
    BanditSpec,
    EnvironmentSpec,
    LearnerSpec,
    LifetimeSpec,
    MamlPolicySpec,
    MlpSpec,
    NavigationSpec,
    OuterSpec,
    SeasonsSpec,
    TabularMdpSpec,
    TrpoSpec,
)
from models.training.config import MetaTrainingConfig, TrainingSpec
from services.jobs.preparation import prepare
from services.jobs.settings import WorkerSettings
from tests.every_job import CASES, told
from tests.pretended_device import ELSEWHERE, pretended_device

pytest.importorskip("transformers")


@pytest.mark.parametrize("case", CASES)
def test_a_job_and_its_evaluation_are_the_cpus(case: str, tmp_path: Path) -> None:
    with pretended_device() as device:
        there = told(case, device.type, tmp_path / "there")
    assert there == pytest.approx(told(case, "cpu", tmp_path / "here"), rel=1e-4, abs=1e-4)


POLICIES: dict[str, tuple[EnvironmentSpec, OuterSpec | None]] = {
    "ppo": (NavigationSpec(n_trajectories=2, horizon=4), None),
    "trpo": (BanditSpec(n_trajectories=4), TrpoSpec()),
    "seasons": (SeasonsSpec(n_trajectories=2, horizon=4), None),
    "tabular": (TabularMdpSpec(n_trajectories=4), None),
    "lifetime": (NavigationSpec(n_trajectories=2, horizon=4), LifetimeSpec()),
}


@pytest.mark.parametrize("case", POLICIES)
def test_a_policy_is_trained_and_tested_where_its_tasks_are(case: str) -> None:
    tasks, outer = POLICIES[case]
    config = MetaTrainingConfig(
        learner=LearnerSpec(algorithm=MamlPolicySpec(), network=MlpSpec(hidden=(8,))),
        tasks=tasks,
        training=TrainingSpec(iterations=2, meta_batch_size=1, test_episodes=2, outer=outer),
    )
    settings = WorkerSettings.model_construct(worker_device=ELSEWHERE.type, worker_threads=1)  # type: ignore[arg-type]
    with pretended_device():
        first, run = (prepare(msgspec.to_builtins(config), lambda *_: None, settings) for _ in range(2))
        first.run(1)
        run.restore(first.checkpoint())
        assert np.isfinite(list(run.run(1).values())).all()
        assert np.isfinite(list(run.meta_test(lambda: None)["meta_test"].values())).all()
