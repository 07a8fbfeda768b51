"""Small trainers that the tests of meta-training share."""

from collections.abc import Callable

import pytest

from models.build import build_family, build_learner
from models.spec import LearnerSpec, MamlSpec, MlpSpec, SinusoidSpec, signature_of
from models.training.config import TrainingSpec
from models.training.meta_trainer import MetaTrainer
from models.training.program import ProgramSpec

TASKS = SinusoidSpec(n_shot=5, n_query=5)
LEARNER = LearnerSpec(algorithm=MamlSpec(inner_steps=2, inner_lr=0.05), network=MlpSpec(hidden=(8,)))
SHORT = TrainingSpec(iterations=40, meta_batch_size=4, meta_lr=0.01, schedule="cosine", seed=3)

MakeTrainer = Callable[..., MetaTrainer]


@pytest.fixture
def make_trainer() -> MakeTrainer:
    """A function that makes a small MAML trainer on sinusoids."""

    def make(training: TrainingSpec = SHORT) -> MetaTrainer:
        return MetaTrainer(training, build_family(TASKS), build_learner(LEARNER, signature_of(TASKS)))

    return make


def program_of(trainer: MetaTrainer) -> ProgramSpec:
    """The program of a trainer that `make_trainer` made."""
    return ProgramSpec.of(LEARNER, signature_of(TASKS), None, trainer)
