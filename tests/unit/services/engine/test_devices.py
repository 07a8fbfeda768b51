"""The executor on a device that is not the CPU's: it answers what the CPU's answers, and mixes no devices."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from models.encoders.shelf import EncoderShelf
from models.encoders.stock import EncoderStock
from models.spec import AutoSpec, BoxSpace, EncoderSpec, Signature
from services.engine.batching import Sliced
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    AnySupport,
    Array,
    PredictCall,
    PredictReply,
    Reply,
    Support,
    TrajectorySupport,
)
from services.engine.residents import ResidentModels
from services.storage.tensor_file import decode_tensors
from tests import small_models
from tests.pretended_device import pretended_device
from tests.small_encoders import WORDS, text_encoder
from tests.small_models import ANSWERS, CHOOSING, LABELS, LINE, PICTURES, POINTS, STEERING
from tests.unit.models.algorithms.test_escalation import by_first_word
from tests.unit.services.engine.conftest import Bench
from tests.unit.services.engine.drawn import check_close, inputs_of, support_of

MODELS: dict[str, tuple[Callable[[], bytes], Signature]] = {
    "maml": (small_models.regression_maml, LINE),
    "maml, classes": (small_models.points_maml, POINTS),
    "maml, table": (small_models.answers_maml, ANSWERS),
    "cavia": (small_models.regression_cavia, LINE),
    "ridge": (small_models.regression_ridge, LINE),
    "matching net": (small_models.points_matchingnet, POINTS),
    "protonet, pictures": (small_models.pictures_protonet, PICTURES),
    "steering": (small_models.steering_policy, STEERING),
    "choosing": (small_models.choosing_policy, CHOOSING),
}


def _trajectories(signature: Signature, seed: int) -> TrajectorySupport:
    """Two, of three steps and of two."""
    rng = np.random.default_rng(seed)
    numbers = partial(_numbers, rng)
    (width,) = signature.inputs.example_shape
    box = isinstance(signature.actions, BoxSpace)
    return TrajectorySupport(
        lengths=Array.of(np.array([3, 2], np.int64)),
        observations=numbers(5, width),
        actions=numbers(5, 2) if box else Array.of(rng.integers(0, 4, 5)),
        rewards=numbers(5),
        log_probs=numbers(5),
        known=Array.of(np.array([1, 0], np.float32)),
        terminated=Array.of(np.array([0, 1], np.float32)),
    )


def _numbers(rng: np.random.Generator, *shape: int) -> Array:
    return Array.of(rng.normal(size=shape).astype(np.float32))


def _support(signature: Signature, seed: int) -> AnySupport:
    if signature.actions is not None:
        return _trajectories(signature, seed)
    ways = len(signature.classes) or 3
    return support_of(signature, 6, ways, seed)


def _asked(bench: Bench, file: bytes, signature: Signature) -> list[Reply]:
    """Two adapted in one pass, asked in another, asked after a restart, gone on from, and adapted to be asked."""
    model = bench.store.put(file)
    queries = [inputs_of(signature, 4, 50 + seed) for seed in range(2)]
    supports = [_support(signature, seed) for seed in range(2)]
    made = bench.run(*(AdaptCall(model, support) for support in supports))
    digests = [reply.digest for reply in made if isinstance(reply, AdaptReply)]
    assert len(digests) == 2, made
    predictions = [PredictCall(model, digest, query) for digest, query in zip(digests, queries, strict=True)]
    found = bench.run(*predictions)
    bench.restart()
    found += bench.run(*predictions)
    if not isinstance(supports[0], TrajectorySupport):
        asked = zip(supports, queries, strict=True)
        found += bench.run(*(AdaptPredictCall(model, support, query) for support, query in asked))
    if bench.models.get(model).manifest.learner.algorithm.gradient_steps:
        further = bench.adapt(AdaptCall(model, supports[1], start=digests[0]))
        found += bench.run(PredictCall(model, further.digest, queries[0]))
    return found


@pytest.mark.parametrize("name", MODELS)
def test_it_answers_as_on_the_cpu(name: str) -> None:
    make, signature = MODELS[name]
    expected = _asked(Bench(), make(), signature)
    with pretended_device() as device:
        found = _asked(Bench(device), make(), signature)
    for mine, theirs in zip(found, expected, strict=True):
        check_close(mine, theirs)


def test_adapted_models_leave_the_device_for_the_host_and_the_host_for_storage() -> None:
    with pretended_device() as device:
        bench = Bench(device)
        model = bench.store.put(small_models.regression_ridge())
        file = bench.adapt(AdaptCall(model, _support(LINE, 0))).params
        row_bytes = sum(value.nbytes for value in decode_tensors(bytes(file)).values())
        bench.restart(adapted_bytes=4 * row_bytes)
        digests = [bench.adapt(AdaptCall(model, _support(LINE, seed))).digest for seed in range(6)]
        bench.tier_hits.clear()
        query = inputs_of(LINE, 4, 9)
        first = [bench.run(PredictCall(model, digests[which], query))[0] for which in (5, 3, 0)]
        assert bench.tier_hits == ["device", "host", "store"]
        for answer, which in zip(first, (5, 3, 0), strict=True):
            (again,) = bench.run(AdaptPredictCall(model, _support(LINE, which), query))
            check_close(answer, again)


TEXTS = Signature(inputs=LABELS, targets=LABELS)


def test_an_encoder_encodes_and_is_tuned_where_the_engine_is(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    text_encoder(tmp_path / "small")
    shelf = EncoderShelf(tmp_path)
    texts, targets = by_first_word(36)
    support = Support(Array.of_texts(texts), Array.of(targets.numpy()), n_ways=3)

    with pretended_device() as device:
        bench = Bench(device)
        bench.models = ResidentModels(bench.store, device, 1 << 20, EncoderStock(shelf, device))
        bench.executor._models = bench.models
        spec = AutoSpec(steps=10, tuning_lr=0.05)
        model = bench.store.put(
            small_models.artifact(spec, TEXTS, shelf.resolved(EncoderSpec(encoder="small")))
        )
        (reply,) = bench.run(AdaptCall(model, support, {"escalate": "lora"}))
        while isinstance(reply, Sliced):
            (reply,) = bench.run(reply)
        assert isinstance(reply, AdaptReply), reply
        assert reply.escalation is not None
        assert reply.escalation.encoder == "lora"
        (answer,) = bench.run(PredictCall(model, reply.digest, Array.of_texts(WORDS)))
        assert isinstance(answer, PredictReply), answer
