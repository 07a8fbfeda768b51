"""Jobs on a GPU, by a worker's own preparation: what they train is the CPU's, and so is what an evaluation says."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.spec import LearnerSpec, MamlPolicySpec, MlpSpec, NavigationSpec
from models.training.config import MetaTrainingConfig, TrainingSpec
from services.jobs.preparation import prepare
from services.jobs.settings import WorkerSettings
from tests.every_job import CASES, told
from tests.gpu.cuda import CUDA, needs_cuda

pytestmark = needs_cuda


@pytest.mark.parametrize("case", CASES)
def test_a_job_and_its_evaluation_are_the_cpus(case: str, tmp_path: Path) -> None:
    there, here = (told(case, device, tmp_path / device) for device in (CUDA.type, "cpu"))
    assert there == pytest.approx(here, rel=2e-3, abs=2e-3)


def test_a_policy_is_trained_on_the_gpu() -> None:
    config = MetaTrainingConfig(
        learner=LearnerSpec(algorithm=MamlPolicySpec(), network=MlpSpec(hidden=(8,))),
        tasks=NavigationSpec(n_trajectories=4, horizon=10),
        training=TrainingSpec(iterations=1, meta_batch_size=2, test_episodes=2),
    )
    run = prepare(msgspec.to_builtins(config), lambda *_: None, WorkerSettings(worker_device="cuda"))
    assert np.isfinite(list(run.run(1).values())).all()
    assert np.isfinite(list(run.meta_test(lambda: None)["meta_test"].values())).all()
