"""Device passes: an answer is the same in company as alone, and a bad call fails alone."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
import torch

from models.spec import Signature
from services.engine import passes as passes_module
from services.engine.batching import key_of
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    Array,
    EngineFault,
    EngineStatus,
    InspectCall,
    PredictCall,
    PredictReply,
    Reply,
    Support,
)
from services.engine.passes import Passes
from services.storage.manifest import decode_artifact, encode_artifact
from services.storage.tensor_file import decode_tensors
from tests import small_models
from tests.small_models import LINE, PICTURES, POINTS
from tests.unit.services.engine.conftest import Bench

MODELS = [
    (small_models.regression_maml, LINE),
    (small_models.regression_ridge, LINE),
    (small_models.points_maml, POINTS),
    (small_models.points_protonet, POINTS),
    (small_models.points_ridge, POINTS),
    (small_models.points_anil, POINTS),
    (small_models.regression_cavia, LINE),
    (small_models.points_logistic, POINTS),
    (small_models.points_svm, POINTS),
    (small_models.points_matchingnet, POINTS),
    (small_models.regression_cnp, LINE),
    (small_models.regression_anp, LINE),
    (small_models.pictures_protonet, PICTURES),
]
every_model = pytest.mark.parametrize(
    ("make", "signature"), MODELS, ids=lambda value: getattr(value, "__name__", "")
)


def _inputs(signature: Signature, rows: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return Array.of(rng.random((rows, *signature.inputs.example_shape), dtype=np.float32))


def _support(signature: Signature, rows: int, ways: int, seed: int) -> Support:
    """`rows` examples, of `ways` classes in unequal numbers where there are classes."""
    inputs = _inputs(signature, rows, seed)
    rng = np.random.default_rng(seed + 1000)
    if signature.task == "regression":
        return Support(inputs, Array.of(rng.normal(size=(rows, 1)).astype(np.float32)))
    slots = np.concatenate([np.arange(ways), rng.integers(0, ways, rows - ways)])
    return Support(inputs, Array.of(slots.astype(np.int64)), n_ways=ways)


SIZES = [(13, 4), (16, 3), (14, 4), (6, 2), (5, 5)]  # examples, classes


def _close(one: Reply, other: Reply) -> None:
    assert isinstance(one, PredictReply)
    assert isinstance(other, PredictReply)
    for name in ("mean", "std", "probabilities"):
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_allclose(left.numpy(), right.numpy(), atol=1e-5, rtol=1e-5)


@every_model
def test_adapting_in_company_gives_the_parameters_of_adapting_alone(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    model = bench.store.put(make())
    calls = [
        AdaptCall(model, _support(signature, rows, ways, seed))
        for seed, (rows, ways) in enumerate([(13, 5), (16, 6), (14, 5), (15, 6)])
    ]
    assert len({key_of(call) for call in calls}) == 1
    for call, reply in zip(calls, bench.run(*calls), strict=True):
        assert isinstance(reply, AdaptReply), reply
        alone = bench.adapt(call)
        assert reply.support_loss == pytest.approx(alone.support_loss, rel=1e-4, abs=1e-5)
        mine, theirs = decode_tensors(bytes(reply.params)), decode_tensors(bytes(alone.params))
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_allclose(mine[name], theirs[name], atol=1e-5, rtol=1e-4)


def test_an_adapted_model_holds_what_was_adapted_alone(bench: Bench) -> None:
    anil, cavia = (
        bench.store.put(small_models.points_anil()),
        bench.store.put(small_models.regression_cavia()),
    )
    for model, signature, shapes in (
        (anil, POINTS, {"head.weight": (6, 8), "head.bias": (6,), "class_mask": (6,)}),
        (cavia, LINE, {"context": (5,)}),
    ):
        stored = decode_tensors(bytes(bench.adapt(AdaptCall(model, _support(signature, 6, 3, 0))).params))
        assert {name: value.shape for name, value in stored.items()} == shapes


@every_model
def test_a_query_is_answered_in_company_as_alone(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    model = bench.store.put(make())
    digests = [
        bench.adapt(AdaptCall(model, _support(signature, *size, seed))).digest
        for seed, size in enumerate(SIZES)
    ]
    calls = [
        PredictCall(model, digest, _inputs(signature, rows, seed=40 + rows))
        for rows, digest in enumerate(digests, start=1)
    ]
    together = bench.run(*calls)
    for rows, (call, reply) in enumerate(zip(calls, together, strict=True), start=1):
        _close(reply, bench.run(call)[0])
        answer = reply.mean or reply.probabilities
        assert answer is not None
        assert answer.shape[0] == rows
        if reply.probabilities is not None:
            assert answer.shape[1] == SIZES[rows - 1][1]
            np.testing.assert_allclose(answer.numpy().sum(-1), 1.0, atol=1e-5)


@every_model
def test_adapting_and_querying_in_one_pass_is_the_same_as_in_two(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    model = bench.store.put(make())
    supports = [_support(signature, 6, 3, seed) for seed in range(3)]
    queries = [_inputs(signature, rows, rows) for rows in (3, 4, 4)]
    calls = [
        AdaptPredictCall(model, support, query) for support, query in zip(supports, queries, strict=True)
    ]
    for call, reply in zip(calls, bench.run(*calls), strict=True):
        digest = bench.adapt(AdaptCall(model, call.support)).digest
        _close(reply, bench.run(PredictCall(model, digest, call.inputs))[0])
    assert len(bench.adapted) == 3


@every_model
def test_an_adapted_model_answers_the_same_after_a_restart(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    model = bench.store.put(make())
    digest = bench.adapt(AdaptCall(model, _support(signature, 6, 3, 0))).digest
    call = PredictCall(model, digest, _inputs(signature, 4, 9))
    (before,) = bench.run(call)
    bench.restart()
    (after,) = bench.run(call)
    _close(before, after)


@every_model
def test_a_long_query_goes_in_pieces(bench: Bench, make: Callable[[], bytes], signature: Signature) -> None:
    model = bench.store.put(make())
    digest = bench.adapt(AdaptCall(model, _support(signature, 6, 3, 0))).digest
    call = PredictCall(model, digest, _inputs(signature, 11, 9))
    (whole,) = bench.run(call)
    bench.restart(max_numbers=3 * int(np.prod(signature.inputs.example_shape)))
    (pieces,) = bench.run(call)
    _close(whole, pieces)


@every_model
def test_every_small_model_passes_inspection(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    (status,) = bench.run(InspectCall(bench.store.put(make())))
    assert isinstance(status, EngineStatus)
    assert status.resident_models == 1


def test_large_files_are_named_by_their_digests_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes_module, "_LARGE", 0)
    model = bench.store.put(small_models.regression_maml())
    for reply in bench.run(*(AdaptCall(model, _support(LINE, 4, 1, seed)) for seed in range(3))):
        assert isinstance(reply, AdaptReply)
        assert hashlib.sha256(reply.params).hexdigest() == reply.digest


def test_no_support_is_the_base_models_own_answer(bench: Bench) -> None:
    nothing = Support(Array.of(np.zeros((0, 1), np.float32)), Array.of(np.zeros((0, 1), np.float32)))
    query = _inputs(LINE, 3, 0)
    maml, ridge = (
        bench.store.put(make()) for make in (small_models.regression_maml, small_models.regression_ridge)
    )
    (base,) = bench.run(AdaptPredictCall(maml, nothing, query))
    (unmoved,) = bench.run(AdaptPredictCall(maml, _support(LINE, 3, 1, 0), query, {"inner_steps": 0}))
    _close(base, unmoved)
    (prior,) = bench.run(AdaptPredictCall(ridge, nothing, query))
    assert isinstance(prior, PredictReply)
    assert prior.std is not None
    assert (prior.std.numpy() > 0).all()


def test_steps_taken_in_two_goes_end_where_one_go_ends(bench: Bench) -> None:
    model = bench.store.put(small_models.regression_maml())
    support = _support(LINE, 4, 1, 0)
    first = bench.adapt(AdaptCall(model, support, {"inner_steps": 2}))
    second = bench.adapt(AdaptCall(model, support, {"inner_steps": 3}, start=first.digest))
    at_once = bench.adapt(AdaptCall(model, support, {"inner_steps": 5}))
    assert second.support_loss == pytest.approx(at_once.support_loss, rel=1e-5)
    assert second.support_loss < first.support_loss


def test_classes_of_an_earlier_adaptation_stay_when_it_goes_on(bench: Bench) -> None:
    model = bench.store.put(small_models.points_maml())
    first = bench.adapt(AdaptCall(model, _support(POINTS, 6, 3, 0)))
    few = Support(_inputs(POINTS, 2, 5), Array.of(np.array([0, 2], np.int64)), n_ways=3)
    second = bench.adapt(AdaptCall(model, few, start=first.digest))
    (answer,) = bench.run(PredictCall(model, second.digest, _inputs(POINTS, 1, 0)))
    assert isinstance(answer, PredictReply)
    assert answer.probabilities is not None
    assert answer.probabilities.shape == (1, 3)


LINE_OF_FOUR = _support(LINE, 4, 1, 0)
BAD_CALLS = {
    "width": Support(Array.of(np.zeros((4, 2), np.float32)), LINE_OF_FOUR.targets),
    "lengths": Support(LINE_OF_FOUR.inputs, Array.of(np.zeros((3, 1), np.float32))),
    "datatype": Support(LINE_OF_FOUR.inputs, Array.of(np.zeros(4, np.int64))),
    "bytes": Support(LINE_OF_FOUR.inputs, Array("float32", (4, 1), memoryview(b"1234"))),
    "huge": Support(Array.of(np.full((4, 1), 1e30, np.float32)), LINE_OF_FOUR.targets),
}


@pytest.mark.parametrize("bad", BAD_CALLS.values(), ids=BAD_CALLS)
def test_a_poisoned_call_fails_alone(bench: Bench, bad: Support) -> None:
    model = bench.store.put(small_models.regression_maml())
    good = AdaptCall(model, LINE_OF_FOUR)
    replies = bench.run(good, AdaptCall(model, bad), good)
    assert [type(reply) for reply in replies] == [AdaptReply, EngineFault, AdaptReply]
    assert replies[1].code == "invalid"
    assert replies[0].digest == replies[2].digest
    np.testing.assert_allclose(replies[0].support_loss, bench.adapt(good).support_loss, rtol=1e-4)


@pytest.mark.parametrize(
    ("slots", "ways"), [([0, 1, 3, 0], 3), ([0, -1, 1, 0], 2), ([0, 1, 2, 3], 0), ([0, 1, 2, 3], 6)]
)
def test_class_slots_that_cannot_be_are_refused(bench: Bench, slots: list[int], ways: int) -> None:
    model = bench.store.put(small_models.points_maml(max_ways=5))
    support = Support(_inputs(POINTS, 4, 0), Array.of(np.array(slots, np.int64)), n_ways=ways)
    (fault,) = bench.run(AdaptCall(model, support))
    assert isinstance(fault, EngineFault)
    assert fault.code == "invalid"


def test_an_inner_loop_that_diverges_says_so(bench: Bench) -> None:
    model = bench.store.put(small_models.regression_maml())
    (fault,) = bench.run(AdaptCall(model, LINE_OF_FOUR, {"inner_lr": 10.0, "inner_steps": 200}))
    assert isinstance(fault, EngineFault)
    assert fault.code == "invalid"
    assert "inner_lr 10 over 200 steps" in fault.detail
    assert len(bench.adapted) == 0


def test_an_answer_that_is_not_finite_is_refused_alone(bench: Bench) -> None:
    manifest, params = decode_artifact(small_models.regression_maml())
    steep = {name: np.full_like(value, 1e8) for name, value in params.items()}
    model = bench.store.put(encode_artifact(steep, manifest))
    digest = bench.adapt(AdaptCall(model, LINE_OF_FOUR, {"inner_steps": 0})).digest
    far, near = (
        PredictCall(model, digest, Array.of(np.full((1, 1), value, np.float32))) for value in (1e25, 1.0)
    )
    fault, answer = bench.run(far, near)
    assert isinstance(answer, PredictReply)
    assert isinstance(fault, EngineFault)
    assert fault.code == "invalid"


def test_what_storage_does_not_have_is_missing(bench: Bench) -> None:
    model = bench.store.put(small_models.regression_maml())
    query = _inputs(LINE, 1, 0)
    no_model, no_params = (
        bench.run(PredictCall(artifact, "0" * 64, query))[0] for artifact in ("f" * 64, model)
    )
    assert isinstance(no_model, EngineFault)
    assert isinstance(no_params, EngineFault)
    assert (no_model.code, no_params.code) == ("missing", "missing")


def test_damaged_parameters_are_never_served(bench: Bench) -> None:
    model = bench.store.put(small_models.regression_maml())
    digest = bench.adapt(AdaptCall(model, LINE_OF_FOUR)).digest
    bench.kept[digest] = bench.kept[digest][:-4] + b"\x01\x02\x03\x04"
    bench.restart()
    (fault,) = bench.run(PredictCall(model, digest, _inputs(LINE, 1, 0)))
    assert isinstance(fault, EngineFault)
    assert fault.code == "missing"
    assert "damaged" in fault.detail


def test_a_file_whose_weights_are_anothers_is_refused(bench: Bench) -> None:
    manifest, params = decode_artifact(small_models.regression_maml())
    params.pop(sorted(params)[0])
    (fault,) = bench.run(InspectCall(bench.store.put(encode_artifact(params, manifest))))
    assert isinstance(fault, EngineFault)
    assert fault.code == "invalid"
    assert "rebuilt" in fault.detail


def test_models_beyond_the_budget_are_loaded_again(bench: Bench) -> None:
    one, two = (
        bench.store.put(make()) for make in (small_models.regression_maml, small_models.regression_ridge)
    )
    bench.restart(model_bytes=200)
    digests = {name: bench.adapt(AdaptCall(name, LINE_OF_FOUR)).digest for name in (one, two, one, two)}
    assert len(bench.models) <= 1
    for name, digest in digests.items():
        (answer,) = bench.run(PredictCall(name, digest, _inputs(LINE, 2, 0)))
        assert isinstance(answer, PredictReply)


def _clumsy(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let every adapt pass fail that has a call with options in it."""
    honest = Passes.adapt

    def clumsy(self, model, calls, starts):  # type: ignore[no-untyped-def]
        if any(call.options for call in calls):
            raise error
        return honest(self, model, calls, starts)

    monkeypatch.setattr(Passes, "adapt", clumsy)


@pytest.mark.parametrize(
    ("error", "code"),
    [(RuntimeError("kernel trouble"), "internal"), (torch.OutOfMemoryError("kernel trouble"), "invalid")],
)
def test_a_failure_of_a_pass_is_contained(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    model = bench.store.put(small_models.regression_maml())
    _clumsy(monkeypatch, error)
    good, bad = AdaptCall(model, LINE_OF_FOUR), AdaptCall(model, LINE_OF_FOUR, {"inner_steps": 2})
    replies = bench.run(good, bad, good)
    assert [type(reply) for reply in replies] == [AdaptReply, EngineFault, AdaptReply]
    assert replies[1].code == code
    assert "kernel" not in replies[1].detail


def test_a_lost_device_is_not_contained(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bench.store.put(small_models.regression_maml())
    _clumsy(monkeypatch, torch.AcceleratorError("device-side assert"))
    with pytest.raises(torch.AcceleratorError):
        bench.run(AdaptCall(model, LINE_OF_FOUR, {"inner_steps": 2}))


@pytest.mark.parametrize(
    ("make", "signature"), [(small_models.points_matchingnet, POINTS), (small_models.regression_anp, LINE)]
)
def test_more_examples_than_a_model_keeps_are_refused(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    model = bench.store.put(make())
    fits, fails = bench.run(*(AdaptCall(model, _support(signature, rows, 3, 0)) for rows in (16, 17)))
    assert isinstance(fits, AdaptReply)
    assert isinstance(fails, EngineFault)
    assert "17 examples; this model keeps 16 at most" in fails.detail
