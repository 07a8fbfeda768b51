"""The prior-fitted transformer: what its answers may depend on, and what they must not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.algorithms.batched import adapt_batch, predict_batch
from models.algorithms.learner import MetaLearner
from models.build import build_learner
from models.episode import SupportSet
from models.spec import (
    LearnerSpec,
    NetworkSpec,
    PriorFittedSpec,
    RowTransformerSpec,
    TablesSpec,
    TableTransformerSpec,
    Task,
    max_ways_of,
    signature_of,
)

COLUMNS, WAYS, KEPT = 5, 4, 8
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
Pad = Callable[[SupportSet, int, int], SupportSet]


CELLS = TableTransformerSpec(width=16, layers=2, heads=2, summaries=3, rows=KEPT)
ROWS = RowTransformerSpec(width=16, layers=2, heads=2, rows=KEPT)


def learner_for(task: Task, columns: int = COLUMNS, network: NetworkSpec = CELLS) -> MetaLearner:
    spec = LearnerSpec(algorithm=PriorFittedSpec(), network=network)
    tasks = TablesSpec(task=task, columns=columns, classes=WAYS)
    return build_learner(spec, signature_of(tasks), max_ways_of(spec, tasks))


def drawn(task: Task, rows: int, ways: int = 3, seed: int = 0) -> SupportSet:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, COLUMNS, generator=generator)
    if task == "regression":
        return SupportSet(
            inputs, torch.randn(rows, 1, generator=generator) * 40 + 7, torch.ones(rows), torch.ones(0)
        )
    targets = torch.randint(ways, (rows,), generator=generator)
    return SupportSet(inputs, targets, torch.ones(rows), (torch.arange(WAYS) < ways).float())


def answer(learner: MetaLearner, params: dict[str, Tensor], support: SupportSet, asked: Tensor) -> Tensor:
    """Probabilities [Q, N], or mean and std side by side [Q, 2]."""
    outputs = learner.predict(params, learner.adapt(params, support), asked)
    if "logits" in outputs:
        return torch.softmax(outputs["logits"], dim=-1)
    return torch.cat([outputs["mean"], outputs["std"]], dim=-1)


@pytest.fixture(params=["classification", "regression"])
def task(request: pytest.FixtureRequest) -> Task:
    found: Task = request.param
    return found


@pytest.fixture(params=[CELLS, ROWS], ids=["cells", "rows"])
def network(request: pytest.FixtureRequest) -> NetworkSpec:
    found: NetworkSpec = request.param
    return found


@pytest.fixture
def learner(task: Task, network: NetworkSpec) -> MetaLearner:
    return learner_for(task, network=network)


@pytest.fixture
def params(learner: MetaLearner) -> dict[str, Tensor]:
    return learner.init(torch.Generator().manual_seed(1))


@pytest.fixture
def asked() -> Tensor:
    return torch.randn(6, COLUMNS, generator=torch.Generator().manual_seed(2))


def test_padded_and_batched_is_one_by_one(
    task: Task, learner: MetaLearner, params: dict[str, Tensor], pad: Pad
) -> None:
    # More rows than are kept in one, fewer in the others.
    alone = [drawn(task, rows, seed=rows) for rows in (1, 2, KEPT - 1, KEPT + 5)]
    padded = [pad(support, KEPT + 9, WAYS) for support in alone]
    batch = SupportSet(*(torch.stack(parts) for parts in zip(*padded, strict=True)))
    asked = torch.randn(len(alone), 4, COLUMNS, generator=torch.Generator().manual_seed(3))
    adapted_M = adapt_batch(learner, params, batch)
    outputs_M = predict_batch(learner, params, adapted_M, asked)
    losses_M = torch.vmap(learner.support_loss, in_dims=(None, 0, 0))(params, adapted_M, batch)
    for m, support in enumerate(alone):
        adapted = learner.adapt(params, support)
        for name, value in adapted.items():
            torch.testing.assert_close(adapted_M[name][m], value, **CLOSE)
        for name, expected in learner.predict(params, adapted, asked[m]).items():
            torch.testing.assert_close(outputs_M[name][m], expected, **CLOSE)
        torch.testing.assert_close(losses_M[m], learner.support_loss(params, adapted, support), **CLOSE)


def test_what_is_kept_has_one_size(task: Task, learner: MetaLearner, params: dict[str, Tensor]) -> None:
    shapes = [
        {name: (value.shape, value.dtype) for name, value in learner.adapt(params, drawn(task, rows)).items()}
        for rows in (1, 3, KEPT + 20)
    ]
    assert shapes[0] == shapes[1] == shapes[2]
    assert {dtype for _, dtype in shapes[0].values()} == {torch.float32}


def test_a_row_is_answered_by_itself(
    task: Task, learner: MetaLearner, params: dict[str, Tensor], asked: Tensor
) -> None:
    support = drawn(task, 7)
    together = answer(learner, params, support, asked)
    for row in range(len(asked)):
        torch.testing.assert_close(
            answer(learner, params, support, asked[row : row + 1])[0], together[row], **CLOSE
        )


def test_the_answers_follow_what_is_asked_and_what_was_labelled(
    task: Task, learner: MetaLearner, params: dict[str, Tensor], asked: Tensor
) -> None:
    found = answer(learner, params, drawn(task, 7), asked)
    assert not torch.allclose(found[0], found[1], atol=1e-4)
    assert not torch.allclose(found, answer(learner, params, drawn(task, 7, seed=9), asked), atol=1e-4)


def test_a_narrower_table_has_zeros_behind(
    task: Task, network: NetworkSpec, params: dict[str, Tensor], asked: Tensor
) -> None:
    support, wide = drawn(task, 9), learner_for(task, COLUMNS + 3, network)
    padded = support._replace(inputs=torch.nn.functional.pad(support.inputs, (0, 3)))
    torch.testing.assert_close(
        answer(wide, params, padded, torch.nn.functional.pad(asked, (0, 3))),
        answer(learner_for(task, network=network), params, support, asked),
        **CLOSE,
    )


def test_a_constant_column_says_nothing(
    task: Task, learner: MetaLearner, params: dict[str, Tensor], asked: Tensor
) -> None:
    support = drawn(task, 9)
    support.inputs[:, -1] = 3e7
    found = answer(learner, params, support, asked)
    assert found.isfinite().all()
    support.inputs[:, -1] = 0.0
    torch.testing.assert_close(answer(learner, params, support, asked), found, **CLOSE)


def test_units_are_of_no_account(
    task: Task, learner: MetaLearner, params: dict[str, Tensor], asked: Tensor
) -> None:
    support = drawn(task, 9)
    scale, shift = torch.tensor([1e-3, 1.0, 40.0, 1e6, 2.0]), torch.tensor([5.0, 0.0, -90.0, 1e6, 0.25])
    moved = support._replace(inputs=support.inputs * scale + shift)
    torch.testing.assert_close(
        answer(learner, params, moved, asked * scale + shift),
        answer(learner, params, support, asked),
        rtol=1e-3,
        atol=1e-3,
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e38, 1e-40])
def test_gaps_and_vast_values_leave_answers_finite(
    task: Task, learner: MetaLearner, params: dict[str, Tensor], asked: Tensor, value: float
) -> None:
    support = drawn(task, 6)
    support.inputs[2, 1] = support.inputs[:, 3] = value
    support.inputs[0, 4], asked[0, 0], asked[1] = -value, value, value
    found = answer(learner, params, support, asked)
    assert found.isfinite().all()


def test_a_gap_is_not_a_zero(
    task: Task, learner: MetaLearner, params: dict[str, Tensor], asked: Tensor
) -> None:
    support = drawn(task, 9)
    whole = answer(learner, params, support, asked)
    asked[0, 0] = float("nan")
    gap = answer(learner, params, support, asked)
    asked[0, 0] = 0.0
    zero = answer(learner, params, support, asked)
    assert not torch.allclose(gap[0], zero[0], atol=1e-5)
    torch.testing.assert_close(gap[1:], whole[1:], **CLOSE)


def test_one_class_alone_is_certain_and_no_row_at_all_is_sound(
    task: Task, learner: MetaLearner, params: dict[str, Tensor], asked: Tensor
) -> None:
    if task == "classification":
        found = answer(learner, params, drawn(task, 5, ways=1), asked)
        torch.testing.assert_close(found[:, 0], torch.ones(len(asked)))
    else:
        nothing = drawn(task, 1)._replace(mask=torch.zeros(1))
        assert answer(learner, params, nothing, asked).isfinite().all()


def test_of_many_rows_each_class_keeps_as_many() -> None:
    learner = learner_for("classification")
    params = learner.init(torch.Generator().manual_seed(1))
    support = drawn("classification", 30, ways=2)
    common = support._replace(targets=(torch.arange(30) >= 27).long())
    chosen, mask = learner._chosen(common)  # type: ignore[attr-defined]
    assert chosen.tolist() == [0, 27, 1, 28, 2, 29, 3, 4]
    assert mask.tolist() == [1.0] * KEPT
    assert learner.adapt(params, common)["rows"].sum() == KEPT


def test_a_regression_answers_in_the_targets_units() -> None:
    learner = learner_for("regression")
    params = learner.init(torch.Generator().manual_seed(1))
    support, asked = drawn("regression", 9), torch.zeros(2, COLUMNS)
    plain = answer(learner, params, support, asked)
    moved = answer(learner, params, support._replace(targets=support.targets * 100 - 5e3), asked)
    torch.testing.assert_close(moved[:, 0], plain[:, 0] * 100 - 5e3, rtol=1e-3, atol=1.0)
    torch.testing.assert_close(moved[:, 1], plain[:, 1] * 100, rtol=1e-3, atol=1.0)
    assert (plain[:, 1] > 0).all()


def test_it_starts_from_nothing_but_a_support_set(
    task: Task, learner: MetaLearner, params: dict[str, Tensor]
) -> None:
    with pytest.raises(ValueError, match="support set alone"):
        learner.adapt(params, drawn(task, 3), start={})
