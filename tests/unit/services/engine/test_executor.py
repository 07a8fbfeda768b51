"""Device passes: what is kept of an adaptation, and what one goes on from."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from services.engine import passes as passes_module
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    Array,
    PredictCall,
    PredictReply,
    Support,
)
from services.engine.passes import Passes
from services.storage.tensor_file import decode_tensors
from tests import small_models
from tests.small_models import LINE, POINTS
from tests.unit.services.engine.conftest import Bench
from tests.unit.services.engine.drawn import LINE_OF_FOUR, check_close, inputs_of, support_of


def test_an_adapted_model_holds_what_was_adapted_alone(bench: Bench) -> None:
    anil, cavia = (
        bench.store.put(small_models.points_anil()),
        bench.store.put(small_models.regression_cavia()),
    )
    for model, signature, shapes in (
        (anil, POINTS, {"head.weight": (6, 8), "head.bias": (6,), "class_mask": (6,)}),
        (cavia, LINE, {"context": (5,)}),
    ):
        stored = decode_tensors(bytes(bench.adapt(AdaptCall(model, support_of(signature, 6, 3, 0))).params))
        assert {name: value.shape for name, value in stored.items()} == shapes


def test_a_hasty_pass_that_puts_something_off_leaves_its_model_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other = (
        bench.store.put(small_models.regression_maml()),
        bench.store.put(small_models.regression_ridge()),
    )
    calls = [AdaptCall(artifact, support_of(LINE, 4, 1, 0)) for artifact in (model, other)]
    for call in calls:
        bench.adapt(call)

    @contextmanager
    def in_haste(self: Passes) -> Iterator[list[str]]:
        yield ["a compiled program"]

    monkeypatch.setattr(Passes, "in_haste", in_haste)
    assert bench.executor.has(model)
    (hasty,) = bench.executor.run_in_haste([calls[0]])
    assert isinstance(hasty, AdaptReply)
    assert (bench.executor.has(model), bench.executor.has(other)) == (False, True)
    bench.adapt(calls[0])
    assert bench.executor.has(model)


def test_large_files_are_named_by_their_digests_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes_module, "_LARGE", 0)
    model = bench.store.put(small_models.regression_maml())
    for reply in bench.run(*(AdaptCall(model, support_of(LINE, 4, 1, seed)) for seed in range(3))):
        assert isinstance(reply, AdaptReply)
        assert hashlib.sha256(reply.params).hexdigest() == reply.digest


def test_no_support_is_the_base_models_own_answer(bench: Bench) -> None:
    nothing = Support(Array.of(np.zeros((0, 1), np.float32)), Array.of(np.zeros((0, 1), np.float32)))
    query = inputs_of(LINE, 3, 0)
    maml, ridge = (
        bench.store.put(make()) for make in (small_models.regression_maml, small_models.regression_ridge)
    )
    (base,) = bench.run(AdaptPredictCall(maml, nothing, query))
    (unmoved,) = bench.run(AdaptPredictCall(maml, support_of(LINE, 3, 1, 0), query, {"inner_steps": 0}))
    check_close(base, unmoved)
    (prior,) = bench.run(AdaptPredictCall(ridge, nothing, query))
    assert isinstance(prior, PredictReply)
    assert prior.std is not None
    assert (prior.std.numpy() > 0).all()


def test_steps_taken_in_two_goes_end_where_one_go_ends(bench: Bench) -> None:
    model = bench.store.put(small_models.regression_maml())
    support = support_of(LINE, 4, 1, 0)
    first = bench.adapt(AdaptCall(model, support, {"inner_steps": 2}))
    second = bench.adapt(AdaptCall(model, support, {"inner_steps": 3}, start=first.digest))
    at_once = bench.adapt(AdaptCall(model, support, {"inner_steps": 5}))
    assert second.support_loss == pytest.approx(at_once.support_loss, rel=1e-5)
    assert second.support_loss < first.support_loss


def test_classes_of_an_earlier_adaptation_stay_when_it_goes_on(bench: Bench) -> None:
    model = bench.store.put(small_models.points_maml())
    first = bench.adapt(AdaptCall(model, support_of(POINTS, 6, 3, 0)))
    few = Support(inputs_of(POINTS, 2, 5), Array.of(np.array([0, 2], np.int64)), n_ways=3)
    second = bench.adapt(AdaptCall(model, few, start=first.digest))
    (answer,) = bench.run(PredictCall(model, second.digest, inputs_of(POINTS, 1, 0)))
    assert isinstance(answer, PredictReply)
    assert answer.probabilities is not None
    assert answer.probabilities.shape == (1, 3)


def test_models_beyond_the_budget_are_loaded_again(bench: Bench) -> None:
    one, two = (
        bench.store.put(make()) for make in (small_models.regression_maml, small_models.regression_ridge)
    )
    bench.restart(model_bytes=200)
    digests = {name: bench.adapt(AdaptCall(name, LINE_OF_FOUR)).digest for name in (one, two, one, two)}
    assert len(bench.models) <= 1
    for name, digest in digests.items():
        (answer,) = bench.run(PredictCall(name, digest, inputs_of(LINE, 2, 0)))
        assert isinstance(answer, PredictReply)
