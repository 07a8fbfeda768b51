"""The executor on a GPU: answers, tiers and recorded plans, beside the same engine on the CPU."""

from collections import Counter

import numpy as np
import pytest
import torch

from models.spec import Conv4Spec, MamlSpec, MlpSpec, ProtoNetSpec, RidgeSpec, Signature
from services.engine.adapted_models import AdaptedModels
from services.engine.device import EnginePrecision
from services.engine.executor import Executor
from services.engine.messages import AdaptCall, AdaptReply, Array, PredictCall, PredictReply, Support
from services.engine.passes import Passes
from services.engine.plans import Plans
from services.engine.recorder import Recorder
from services.engine.residents import ResidentModels
from services.engine.tier import Tier
from tests.gpu.cuda import CPU, CUDA, needs_cuda
from tests.small_models import LINE, PICTURES, POINTS, artifact
from tests.unit.services.engine.conftest import Bench

pytestmark = needs_cuda

GATE = 1e-4
CONV4 = Conv4Spec(hidden=16)
MODELS: dict[str, tuple[bytes, Signature]] = {
    "maml": (artifact(MamlSpec(inner_steps=5), LINE, MlpSpec(hidden=(40, 40))), LINE),
    "ridge": (artifact(RidgeSpec(components=2), LINE, MlpSpec(hidden=(40, 40))), LINE),
    "maml, classes": (artifact(MamlSpec(inner_steps=2), POINTS, max_ways=6), POINTS),
    "ridge, classes": (artifact(RidgeSpec(), POINTS), POINTS),
    "protonet": (artifact(ProtoNetSpec(), POINTS), POINTS),
    "maml, conv4": (artifact(MamlSpec(inner_steps=1, inner_lr=0.1), PICTURES, CONV4, max_ways=6), PICTURES),
    "protonet, conv4": (artifact(ProtoNetSpec(), PICTURES, CONV4), PICTURES),
}


class GpuBench(Bench):
    """The same executor on a GPU, with its two tiers and its recordings; `plans` counts how passes were run."""

    def __init__(
        self, device_bytes: int = 1 << 24, host_bytes: int = 1 << 24, precision: EnginePrecision = "float32"
    ) -> None:
        self._bytes, self._precision = (device_bytes, host_bytes), precision
        super().__init__()

    def restart(
        self, max_numbers: int = 1 << 20, model_bytes: int = 1 << 24, adapted_bytes: int = 1 << 20
    ) -> None:
        self.models = ResidentModels(self.store, CUDA, model_bytes)
        self.tier_hits: list[str] = []
        self.plans: Counter[str] = Counter()
        on_device, in_memory = self._bytes
        tiers = [Tier("device", CUDA, on_device), Tier("host", CPU, in_memory)]
        self.adapted = AdaptedModels(self._read, tiers, self.tier_hits.append)
        plans = Plans(
            CUDA, None, lambda _, plan: self.plans.update([plan]), recorder=Recorder(self._precision, 1 << 28)
        )
        self.passes = Passes(plans, CUDA, max_numbers)
        self.executor = Executor(self.models, self.adapted, self.passes, CUDA)


def _inputs(signature: Signature, rows: int, seed: int) -> Array:
    return Array.of(
        np.random.default_rng(seed).random((rows, *signature.inputs.example_shape), dtype=np.float32)
    )


def _support(signature: Signature, seed: int, rows: int = 6, ways: int = 3) -> Support:
    rng = np.random.default_rng(seed + 1000)
    if signature.task == "regression":
        targets = Array.of(rng.normal(size=(rows, 1)).astype(np.float32))
        return Support(_inputs(signature, rows, seed), targets)
    slots = np.concatenate([np.arange(ways), rng.integers(0, ways, rows - ways)]).astype(np.int64)
    return Support(_inputs(signature, rows, seed), Array.of(slots), n_ways=ways)


def _numbers(reply: object) -> np.ndarray:
    assert isinstance(reply, PredictReply), reply
    parts = [part.numpy() for part in (reply.mean, reply.std, reply.probabilities) if part is not None]
    return np.concatenate([part.reshape(-1) for part in parts])


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float((np.abs(one - other) / np.maximum(1.0, np.abs(one))).max())


def _answers(bench: Bench, model: str, signature: Signature, tasks: int) -> np.ndarray:
    """Adapt so many tasks in one pass, and query all of them in another."""
    made = bench.run(*(AdaptCall(model, _support(signature, seed)) for seed in range(tasks)))
    digests = [reply.digest for reply in made if isinstance(reply, AdaptReply)]
    assert len(digests) == tasks, made
    queries = [
        PredictCall(model, digest, _inputs(signature, 4, 50 + seed)) for seed, digest in enumerate(digests)
    ]
    return np.concatenate([_numbers(reply) for reply in bench.run(*queries)])


@pytest.mark.parametrize("name", MODELS)
def test_it_answers_as_the_cpu_does_together_alone_and_by_whatever_plan(name: str) -> None:
    file, signature = MODELS[name]
    bench, reference = GpuBench(), Bench()
    model = bench.store.put(file)
    reference.store.put(file)
    expected = _answers(reference, model, signature, 5)
    for _ in range(10):
        assert _apart(expected, _answers(bench, model, signature, 5)) <= GATE
    print(f"\n{name}: {dict(bench.plans)}")
    assert _apart(expected[: len(expected) // 5], _answers(bench, model, signature, 1)) <= GATE
    # Fewer than were recorded: the rest of the rung is padding.
    assert _apart(expected[: len(expected) // 5 * 3], _answers(bench, model, signature, 3)) <= GATE


@pytest.mark.parametrize("name", ["maml", "maml, conv4", "protonet"])
def test_what_is_asked_again_and_again_is_recorded(name: str) -> None:
    file, signature = MODELS[name]
    bench = GpuBench()
    model = bench.store.put(file)
    for _ in range(12):
        _answers(bench, model, signature, 4)
    assert any(plan.startswith("graph") for plan in bench.plans), bench.plans


def test_two_versions_of_one_shape_share_a_recording_and_nothing_else() -> None:
    bench = GpuBench()
    files = [artifact(MamlSpec(inner_steps=2), LINE, MlpSpec(hidden=(40, 40)), seed=seed) for seed in (0, 1)]
    models = [bench.store.put(file) for file in files]
    before = [_answers(bench, model, LINE, 4) for model in models]
    for _ in range(10):
        for model, expected in zip(models, before, strict=True):
            assert _apart(expected, _answers(bench, model, LINE, 4)) <= GATE
    assert _apart(*before) > 1e-2


@pytest.mark.parametrize("name", ["maml", "protonet, conv4"])
def test_bfloat16_stays_within_its_tolerance(name: str) -> None:
    file, signature = MODELS[name]
    bench, reference = GpuBench(precision="bfloat16"), Bench()
    model = bench.store.put(file)
    reference.store.put(file)
    expected = _answers(reference, model, signature, 5)
    for _ in range(10):
        assert _apart(expected, _answers(bench, model, signature, 5)) <= 5e-2


def test_adapted_models_leave_the_device_for_the_host_and_the_host_for_storage() -> None:
    file, signature = MODELS["maml"]
    width = 4 * sum(value.numel() for value in _params(file))
    bench = GpuBench(device_bytes=2 * width, host_bytes=4 * width)
    model = bench.store.put(file)
    digests = [bench.adapt(AdaptCall(model, _support(signature, seed))).digest for seed in range(6)]
    bench.tier_hits.clear()

    def ask(which: int) -> np.ndarray:
        return _numbers(bench.run(PredictCall(model, digests[which], _inputs(signature, 4, 9)))[0])

    first = [ask(which) for which in (5, 3, 0)]
    assert bench.tier_hits == ["device", "host", "store"]
    bench.tier_hits.clear()
    again = [ask(which) for which in (0, 5, 3)]
    assert set(bench.tier_hits) <= {"device", "host"}
    for mine, theirs in zip(again, [first[2], first[0], first[1]], strict=True):
        assert _apart(theirs, mine) <= 1e-6


def _params(file: bytes) -> list[torch.Tensor]:
    from services.storage.manifest import decode_artifact

    return [torch.from_numpy(array.copy()) for array in decode_artifact(file)[1].values()]


def test_a_call_that_diverges_fails_alone_in_a_recording_too() -> None:
    file, signature = MODELS["maml"]
    bench = GpuBench()
    model = bench.store.put(file)
    for _ in range(10):
        _answers(bench, model, signature, 4)
    huge = Support(Array.of(np.full((6, 1), 1e30, np.float32)), _support(signature, 0).targets)
    replies = bench.run(*(AdaptCall(model, one) for one in (_support(signature, 0), huge)))
    assert isinstance(replies[0], AdaptReply)
    assert not isinstance(replies[1], AdaptReply)
