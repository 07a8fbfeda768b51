"""The transformer over closed-form heads: what is of no account, and what it answers before it is trained."""

import pytest
import torch
from torch import Tensor

from models.algorithms.learner import MetaLearner
from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.spec import (
    LearnerSpec,
    PriorFittedSpec,
    RowTransformerSpec,
    TablesSpec,
    Task,
    max_ways_of,
    signature_of,
)

COLUMNS, WAYS = 5, 10
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def learner_for(task: Task) -> MetaLearner:
    spec = LearnerSpec(
        algorithm=PriorFittedSpec(), network=RowTransformerSpec(width=16, layers=2, heads=2, rows=48)
    )
    tasks = TablesSpec(task=task, columns=COLUMNS, classes=WAYS)
    return build_learner(spec, signature_of(tasks), max_ways_of(spec, tasks))


def drawn(task: Task, rows: int, ways: int, seed: int = 0) -> SupportSet:
    """Rows whose first two columns tell the target."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, COLUMNS, generator=generator)
    if task == "regression":
        return SupportSet(inputs, 3 * inputs[:, :1] - inputs[:, 1:2], torch.ones(rows), torch.ones(0))
    targets = torch.arange(rows) % ways
    angles = targets * (2 * torch.pi / ways)
    inputs[:, 0] = 4 * angles.cos() + 0.3 * inputs[:, 0]
    inputs[:, 1] = 4 * angles.sin() + 0.3 * inputs[:, 1]
    return SupportSet(inputs, targets, torch.ones(rows), (torch.arange(WAYS) < ways).float())


def answer(learner: MetaLearner, params: dict[str, Tensor], support: SupportSet, asked: Tensor) -> Tensor:
    """Probabilities [Q, N], or means [Q, 1]."""
    outputs = learner.predict(params, learner.adapt(params, support), asked)
    return torch.softmax(outputs["logits"], -1) if "logits" in outputs else outputs["mean"]


@pytest.fixture(params=["classification", "regression"])
def task(request: pytest.FixtureRequest) -> Task:
    found: Task = request.param
    return found


@pytest.fixture
def learner(task: Task) -> MetaLearner:
    return learner_for(task)


@pytest.fixture
def params(learner: MetaLearner) -> dict[str, Tensor]:
    """As after training: no weight is small."""
    generator = torch.Generator().manual_seed(1)
    fresh = learner.init(generator)
    return {
        name: value + 0.1 * torch.randn(value.shape, generator=generator) for name, value in fresh.items()
    }


def test_the_order_of_rows_and_columns_is_of_no_account(
    task: Task, learner: MetaLearner, params: dict[str, Tensor]
) -> None:
    support, asked = drawn(task, 24, 4), drawn(task, 6, 3, seed=5).inputs
    support.inputs[3, 1] = float("nan")
    found = answer(learner, params, support, asked)
    rows, columns = (torch.randperm(n, generator=torch.Generator().manual_seed(n)) for n in (24, COLUMNS))
    moved = support._replace(inputs=support.inputs[rows][:, columns], targets=support.targets[rows])
    torch.testing.assert_close(answer(learner, params, moved, asked[:, columns]), found, **CLOSE)


def test_the_names_of_classes_are_of_no_account() -> None:
    learner = learner_for("classification")
    params = learner.init(torch.Generator().manual_seed(1))
    support, asked = drawn("classification", 24, 4), drawn("classification", 6, 3, seed=5).inputs
    names = torch.tensor([2, 0, 3, 1])
    renamed = answer(learner, params, support._replace(targets=names[support.targets]), asked)
    torch.testing.assert_close(renamed[:, names], answer(learner, params, support, asked)[:, :4], **CLOSE)


@pytest.mark.parametrize("ways", [2, 10])
def test_before_any_training_it_knows_what_the_heads_know(ways: int) -> None:
    learner = learner_for("classification")
    params = learner.init(torch.Generator().manual_seed(1))
    support, query = drawn("classification", 40, ways), drawn("classification", 40, ways, seed=3)
    found = answer(learner, params, support, query.inputs)
    assert (found.argmax(-1) == query.targets).float().mean() > 0.6
    assert (found[:, ways:] == 0).all()
    numbers = learner_for("regression")
    support, query = drawn("regression", 40, 2), drawn("regression", 40, 2, seed=3)
    said = answer(numbers, numbers.init(torch.Generator().manual_seed(1)), support, query.inputs)
    assert (said - query.targets).square().mean() < 0.3 * query.targets.var()


def test_the_loss_of_many_tables_is_their_mean_and_every_weight_learns(
    task: Task, learner: MetaLearner, params: dict[str, Tensor]
) -> None:
    episodes = []
    for seed in range(3):
        query = drawn(task, 12, 3, seed=10 + seed)
        episodes.append(Episode(drawn(task, 15, 3, seed), QuerySet(query.inputs, query.targets, query.mask)))
    batch = Episode(
        SupportSet(*(torch.stack(parts) for parts in zip(*(one.support for one in episodes), strict=True))),
        QuerySet(*(torch.stack(parts) for parts in zip(*(one.query for one in episodes), strict=True))),
    )
    params = {name: value.requires_grad_() for name, value in params.items()}
    loss, metrics = learner.meta_loss(params, batch)
    alone = torch.stack([learner.meta_loss(params, one)[0] for one in episodes])
    torch.testing.assert_close(loss, alone.mean(), **CLOSE)
    vmapped = torch.vmap(lambda one: learner.meta_loss(params, one)[0])(batch)
    torch.testing.assert_close(vmapped, alone, **CLOSE)
    assert metrics["loss"].isfinite()
    for name, gradient in zip(params, torch.autograd.grad(loss, list(params.values())), strict=True):
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0, name
