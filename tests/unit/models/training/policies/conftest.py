"""A policy, its environments and its trainer, small enough to take an outer step in milliseconds."""

from collections.abc import Callable

import msgspec
import pytest

from models.build import build_environments, build_policy_learner
from models.spec import (
    EnvironmentSpec,
    LearnerSpec,
    MamlPolicySpec,
    MlpSpec,
    NavigationSpec,
    OuterSpec,
    signature_of,
)
from models.training.config import TrainingSpec
from models.training.policies.trainer import PolicyTrainer

TASKS = NavigationSpec(n_trajectories=4, horizon=8)
TRAINING = TrainingSpec(iterations=6, meta_batch_size=3, meta_lr=0.01, schedule="cosine", seed=3)

MakeTrainer = Callable[..., PolicyTrainer]


@pytest.fixture
def make_trainer() -> MakeTrainer:
    """A trainer of other tasks, another outer step, or other options of the algorithm or the training."""

    def make(
        tasks: EnvironmentSpec = TASKS,
        outer: OuterSpec | None = None,
        training: TrainingSpec = TRAINING,
        **options: object,
    ) -> PolicyTrainer:
        algorithm = msgspec.convert({"name": "maml_policy", "initial_std": 0.5, **options}, MamlPolicySpec)
        spec = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(8,), activation="tanh"))
        learner = build_policy_learner(spec, signature_of(tasks))
        training = msgspec.structs.replace(training, outer=outer)
        return PolicyTrainer(training, build_environments(tasks), learner, tasks.n_trajectories)

    return make
