"""A trace gives the bytes of what it was made of, for every learner; so when it takes over does not matter."""

import pytest
import torch

from models.algorithms.learner import MetaLearner
from models.episode import Episode, MetaBatch, QuerySet, SupportSet
from models.spec import LabelledSpec
from models.tasks.family import Split, TaskFamily
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.training import tracing
from models.training.checkpoint import encode_checkpoint
from models.training.config import TrainingSpec
from models.training.meta_trainer import MetaTrainer
from models.training.plans import EAGER_PLANS
from models.training.tracing import Traced
from tests.unit.models.conftest import LEARNERS, MAX_WAYS, D, T


class Lines:
    """A regression family of D inputs and T targets."""

    def sample(self, generator: torch.Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:

        x = torch.randn(meta_batch_size, 9, D, generator=generator)
        y = x @ torch.randn(meta_batch_size, D, T, generator=generator)
        ones = torch.ones(meta_batch_size, 9)
        return Episode(
            SupportSet(x[:, :5], y[:, :5], ones[:, :5], torch.ones(meta_batch_size, 0)),
            QuerySet(x[:, 5:], y[:, 5:], ones[:, 5:]),
        )


def _family(learner: MetaLearner) -> TaskFamily:
    if learner.task == "regression":
        return Lines()
    labels = torch.arange(2 * MAX_WAYS).repeat_interleave(4)
    inputs = torch.randn(len(labels), D, generator=torch.Generator().manual_seed(0))
    spec = LabelledSpec(dataset="d", n_way=MAX_WAYS, n_shot=1, n_query=2)
    return Labelled(spec, LabelledData(inputs, labels, None, ()))


# One of each algorithm in one pass, but one of the two whose many steps take long to trace; a task at a time,
# where what is traced is one task's, a few stand for all.
EACH = {
    type(algorithm): name for name, (algorithm, _) in reversed(LEARNERS.items()) if name != "svm"
}.values()
RUNS = [("vmap", name) for name in (*EACH, "maml++-classification", "ridge-classification")] + [
    ("loop", name) for name in ("maml-classification", "cavia-regression", "protonet", "ridge-mixture")
]


@pytest.mark.parametrize(("plan", "learner"), RUNS, indirect=["learner"])
def test_a_traced_run_has_the_bytes_of_an_untraced_one(
    learner: MetaLearner, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(patience: int) -> bytes:
        monkeypatch.setattr(tracing, "PATIENCE", patience)
        trainer = MetaTrainer(TrainingSpec(iterations=4, meta_batch_size=3), _family(learner), learner)
        trainer.use(EAGER_PLANS[plan](trainer.step))
        trainer.run(4)
        assert (trainer.plan.traced.kernels is None) == (patience > 100)
        return encode_checkpoint(trainer.state())

    assert run(2) == run(10**6)


def test_a_trace_is_made_once_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "PATIENCE", 3)
    seen = []

    def double(value: torch.Tensor) -> torch.Tensor:
        seen.append(value)
        return 2 * value

    traced = Traced(double)
    assert traced.kernels is None
    for number in range(10):
        value = torch.tensor(float(number))
        assert traced.calls(1, value)(value) == 2 * number
    assert len(seen) == 4
    assert traced.kernels is not None
