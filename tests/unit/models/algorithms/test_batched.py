"""Every learner: padded, masked and batched answers are those of one unpadded task at a time."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.algorithms.batched import adapt_batch, predict_batch
from models.algorithms.learner import MetaLearner
from models.episode import Episode, QuerySet, SupportSet
from models.spec import AlgorithmSpec
from models.training.outer_step import flatten, unflatten
from tests.unit.models.conftest import LEARNERS

D, MAX_WAYS = 3, 6
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
QUICK = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

SIZES = st.lists(st.tuples(st.integers(1, 9), st.integers(1, MAX_WAYS)), min_size=1, max_size=4)


@QUICK
@given(sizes=SIZES, seed=st.integers(0, 10_000))
def test_padded_and_batched_is_one_by_one(
    learner: MetaLearner,
    draw_support: Callable[..., SupportSet],
    pad: Callable[[SupportSet, int, int], SupportSet],
    sizes: list[tuple[int, int]],
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    params = learner.init(generator)
    # A learner with a bound on ways has that many slots; the others take as many as there are classes.
    alone = [
        pad(draw_support(learner, shots, ways, generator), shots, learner.max_ways or ways)
        for shots, ways in sizes
    ]
    most = max(shots for shots, _ in sizes) + 3
    padded = [pad(support, most, MAX_WAYS) for support in alone]
    batch = SupportSet(*(torch.stack(parts) for parts in zip(*padded, strict=True)))
    queries = torch.randn(len(sizes), 4, D, generator=generator)

    adapted_M = adapt_batch(learner, params, batch)
    outputs_M = predict_batch(learner, params, adapted_M, queries)
    losses_M = torch.vmap(learner.support_loss, in_dims=(None, 0, 0))(params, adapted_M, batch)
    for m, support in enumerate(alone):
        adapted = learner.adapt(params, support)
        for name, expected in learner.predict(params, adapted, queries[m]).items():
            slots = expected.shape[-1]
            torch.testing.assert_close(outputs_M[name][m, :, :slots], expected, **CLOSE)
            assert torch.isneginf(outputs_M[name][m, :, slots:]).all()
        torch.testing.assert_close(losses_M[m], learner.support_loss(params, adapted, support), **CLOSE)


@QUICK
@given(sizes=SIZES, seed=st.integers(0, 10_000))
def test_a_meta_loss_is_that_of_the_task_alone(
    learner: MetaLearner,
    draw_support: Callable[..., SupportSet],
    pad: Callable[[SupportSet, int, int], SupportSet],
    sizes: list[tuple[int, int]],
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    params = learner.init(generator)
    alone, padded = [], []
    for shots, ways in sizes:
        support, query = (draw_support(learner, count, ways, generator) for count in (shots, 4))
        slots = learner.max_ways or ways
        alone.append(Episode(pad(support, shots, slots), QuerySet(*query[:3])))
        padded.append(Episode(pad(support, 12, MAX_WAYS), QuerySet(*pad(query, 6, MAX_WAYS)[:3])))
    batch = unflatten(tuple(torch.stack(parts) for parts in zip(*map(flatten, padded), strict=True)))
    losses_M, metrics_M = torch.vmap(learner.meta_loss, in_dims=(None, 0))(params, batch)
    for m, episode in enumerate(alone):
        loss, metrics = learner.meta_loss(params, episode)
        torch.testing.assert_close(losses_M[m], loss, **CLOSE)
        for name, value in metrics.items():
            torch.testing.assert_close(metrics_M[name][m], value, **CLOSE)


def test_every_algorithm_is_among_the_learners_here() -> None:
    assert {type(algorithm) for algorithm, _ in LEARNERS.values()} == {
        algorithm for algorithm in get_args(AlgorithmSpec) if algorithm.tasks != ("policy",)
    }


def test_an_answer_does_not_depend_on_its_batch_mates(
    learner: MetaLearner, draw_support: Callable[..., SupportSet], pad: Callable[..., SupportSet]
) -> None:
    generator = torch.Generator().manual_seed(0)
    params = learner.init(generator)
    supports = [pad(draw_support(learner, 5, 3, generator), 5, MAX_WAYS) for _ in range(3)]
    queries = torch.randn(3, 4, D, generator=generator)

    def first(mates: list[SupportSet], asked: torch.Tensor) -> dict[str, torch.Tensor]:
        batch = SupportSet(*(torch.stack(parts) for parts in zip(*mates, strict=True)))
        outputs = predict_batch(learner, params, adapt_batch(learner, params, batch), asked)
        return {name: value[0] for name, value in outputs.items()}

    wild = [supports[0]] + [one._replace(inputs=one.inputs * 1e3) for one in supports[1:]]
    loud = torch.cat([queries[:1], queries[1:] * 1e3])
    calm = first(supports, queries)
    for name, value in first(wild, loud).items():
        torch.testing.assert_close(value, calm[name], **CLOSE)
    shuffled = loud.clone()
    shuffled[0] = loud[0].flip(0)
    for name, value in first(wild, shuffled).items():
        torch.testing.assert_close(value.flip(0), calm[name], **CLOSE)


def test_an_answer_does_not_depend_on_what_else_is_asked(
    learner: MetaLearner, draw_support: Callable[..., SupportSet], pad: Callable[..., SupportSet]
) -> None:
    generator = torch.Generator().manual_seed(0)
    params = learner.init(generator)
    adapted = learner.adapt(params, pad(draw_support(learner, 5, 3, generator), 6, MAX_WAYS))
    queries = torch.randn(4, D, generator=generator)
    loud = torch.cat([queries[:1], queries[1:] * 1e3])
    alone, beside = (learner.predict(params, adapted, asked) for asked in (queries[:1], loud))
    for name, value in alone.items():
        torch.testing.assert_close(beside[name][:1], value, **CLOSE)


@pytest.mark.parametrize(
    "learner",
    [name for name, (algorithm, _) in LEARNERS.items() if algorithm.starts_from_adaptation],
    indirect=True,
)
def test_a_batch_goes_on_from_adapted_parameters(
    learner: MetaLearner, draw_support: Callable[..., SupportSet], pad: Callable[..., SupportSet]
) -> None:
    generator = torch.Generator().manual_seed(0)
    params = learner.init(generator)
    supports = [pad(draw_support(learner, 4, 3, generator), 4, MAX_WAYS) for _ in range(2)]
    batch = SupportSet(*(torch.stack(parts) for parts in zip(*supports, strict=True)))
    started_M = adapt_batch(learner, params, batch)
    again_M = adapt_batch(learner, params, batch, started_M)
    for m, support in enumerate(supports):
        expected = learner.adapt(params, support, {name: value[m] for name, value in started_M.items()})
        for name, value in expected.items():
            torch.testing.assert_close(again_M[name][m], value, **CLOSE)


def test_no_gradient_is_kept(
    learner: MetaLearner, draw_support: Callable[..., SupportSet], pad: Callable
) -> None:
    generator = torch.Generator().manual_seed(0)
    params = {name: value.requires_grad_() for name, value in learner.init(generator).items()}
    support = pad(draw_support(learner, 4, 3, generator), 4, MAX_WAYS)
    batch = SupportSet(*(part.unsqueeze(0) for part in support))
    adapted_M = adapt_batch(learner, params, batch)
    assert not any(value.requires_grad for value in adapted_M.values())
