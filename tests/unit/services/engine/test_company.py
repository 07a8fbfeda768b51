"""An answer is the same in company as alone, in one pass as in two, whole as in pieces, for every learner."""

from collections.abc import Callable

import numpy as np
import pytest

from models.spec import Signature
from services.engine.batching import key_of
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    EngineStatus,
    InspectCall,
    PredictCall,
)
from services.storage.tensor_file import decode_tensors
from tests import small_models
from tests.small_models import LINE, PICTURES, POINTS
from tests.unit.services.engine.conftest import Bench
from tests.unit.services.engine.drawn import check_close, inputs_of, support_of

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
SIZES = [(13, 4), (16, 3), (14, 4), (6, 2), (5, 5)]  # examples, classes


@every_model
def test_adapting_in_company_gives_the_parameters_of_adapting_alone(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    model = bench.store.put(make())
    calls = [
        AdaptCall(model, support_of(signature, rows, ways, seed))
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


@every_model
def test_a_query_is_answered_in_company_as_alone(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    model = bench.store.put(make())
    digests = [
        bench.adapt(AdaptCall(model, support_of(signature, *size, seed))).digest
        for seed, size in enumerate(SIZES)
    ]
    calls = [
        PredictCall(model, digest, inputs_of(signature, rows, seed=40 + rows))
        for rows, digest in enumerate(digests, start=1)
    ]
    together = bench.run(*calls)
    for rows, (call, reply) in enumerate(zip(calls, together, strict=True), start=1):
        check_close(reply, bench.run(call)[0])
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
    supports = [support_of(signature, 6, 3, seed) for seed in range(3)]
    queries = [inputs_of(signature, rows, rows) for rows in (3, 4, 4)]
    calls = [
        AdaptPredictCall(model, support, query) for support, query in zip(supports, queries, strict=True)
    ]
    for call, reply in zip(calls, bench.run(*calls), strict=True):
        digest = bench.adapt(AdaptCall(model, call.support)).digest
        check_close(reply, bench.run(PredictCall(model, digest, call.inputs))[0])
    assert len(bench.adapted) == 3


@every_model
def test_an_adapted_model_answers_the_same_after_a_restart(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    model = bench.store.put(make())
    digest = bench.adapt(AdaptCall(model, support_of(signature, 6, 3, 0))).digest
    call = PredictCall(model, digest, inputs_of(signature, 4, 9))
    (before,) = bench.run(call)
    bench.restart()
    (after,) = bench.run(call)
    check_close(before, after)


@every_model
def test_a_long_query_goes_in_pieces(bench: Bench, make: Callable[[], bytes], signature: Signature) -> None:
    model = bench.store.put(make())
    digest = bench.adapt(AdaptCall(model, support_of(signature, 6, 3, 0))).digest
    call = PredictCall(model, digest, inputs_of(signature, 11, 9))
    (whole,) = bench.run(call)
    bench.restart(max_numbers=3 * int(np.prod(signature.inputs.example_shape)))
    (pieces,) = bench.run(call)
    check_close(whole, pieces)


@every_model
def test_every_small_model_passes_inspection(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    (status,) = bench.run(InspectCall(bench.store.put(make())))
    assert isinstance(status, EngineStatus)
    assert status.resident_models == 1
