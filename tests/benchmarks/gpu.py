"""The engine on a GPU, in one process and without HTTP: adaptations and predictions a second, plan by plan.

Figures of the executor count everything from a call's bytes to a reply's: stacking, copying to and from the device,
hashing what was adapted. Those of a plan are the device's alone, beside the floor by what the card can do.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from models.spec import Conv4Spec, MamlSpec, MlpSpec, NetworkSpec, RidgeSpec, Signature, TensorSpec
from models.spec.algorithms import AlgorithmSpec
from services.engine.adapted_models import AdaptedModels
from services.engine.device import pick_device, round_to
from services.engine.executor import Executor
from services.engine.messages import AdaptCall, AdaptReply, Array, PredictCall, Reply, Support
from services.engine.passes import Passes
from services.engine.plans import Plans
from services.engine.programs import ProgramSpec, build_program, example_tensors
from services.engine.recorder import Recorder
from services.engine.residents import ResidentModel, ResidentModels
from services.engine.tier import Tier
from services.errors import NotFound
from services.storage.artifacts import MemoryArtifactStore
from services.storage.tensor_file import decode_tensors
from tests.benchmarks.card import Card, name_of
from tests.benchmarks.figures import Figure, Report, number, spread
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say
from tests.small_models import LABELS, LINE, artifact

TASKS = 64
ADAPTED = 256
QUERIES = 8
GATE = 1e-4
_SETTLING = 12  # passes until a plan is chosen

_IMAGES = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 28, 28, 1)), targets=LABELS)


class Subject(NamedTuple):
    """One model, and how many examples it adapts to."""

    name: str
    algorithm: AlgorithmSpec
    network: NetworkSpec
    signature: Signature
    support: int
    ways: int = 0

    def file(self) -> bytes:
        return artifact(self.algorithm, self.signature, self.network, self.ways or None)

    def inputs(self, rows: int, seed: int) -> Array:
        rng = np.random.default_rng(seed)
        return Array.of(rng.random((rows, *self.signature.inputs.example_shape), dtype=np.float32))

    def given(self, seed: int) -> Support:
        inputs = self.inputs(self.support, seed)
        if self.ways:
            slots = np.arange(self.support, dtype=np.int64) % self.ways
            return Support(inputs, Array.of(slots), n_ways=self.ways)
        targets = np.random.default_rng(seed + 1).normal(size=(self.support, 1)).astype(np.float32)
        return Support(inputs, Array.of(targets))


SUBJECTS = (
    Subject("MAML, 1-40-40-1, 5 steps", MamlSpec(inner_steps=5), MlpSpec(hidden=(40, 40)), LINE, 10),
    Subject("ridge on 1-40-40", RidgeSpec(), MlpSpec(hidden=(40, 40), activation="tanh"), LINE, 10),
    Subject("MAML, conv4, 5-way 1-shot, 1 step", MamlSpec(inner_lr=0.4), Conv4Spec(), _IMAGES, 5, 5),
)


def measure(options: Options) -> Report:
    """Needs a GPU for what it says; elsewhere it shows that it runs."""
    device = pick_device("auto")
    round_to("float32")
    card = Card(device)
    say(f"{name_of(device)}: {card.told}")
    figures, plans = [], []
    for subject in SUBJECTS:
        found = _of_executor(subject, device, options)
        figures += found
        rows = list(_of_plans(subject, device, card, options))
        plans.append({"model": subject.name, "rows": rows})
        figures += [
            Figure(
                what=f"{subject.name}: {one['kind']}, device alone, {one['plan']}",
                value=one["rate"],
                unit="/s",
                beside=f"{one['rate'] / one['floor']:.1%} of the floor, {number(round(one['floor']))}/s",
            )
            for one in rows
        ]
    return Report(
        suite="gpu",
        title="The engine on a GPU",
        how=(
            f"In process, without HTTP: passes of {TASKS} calls, {QUERIES} queries a prediction, over "
            f"{ADAPTED} adapted models. *Device alone* is a pass of a plan on tensors that lie there; its floor is "
            f"the larger of its operations by {card.told}."
        ),
        seed=options.seed,
        scale={"rounds": options.rounds, "seconds a turn": options.seconds},
        figures=figures,
        series={"plans": plans},
        device=name_of(device),
    )


class _Engine:
    """The executor as the engine puts it together, with memory for storage."""

    def __init__(self, subject: Subject, device: torch.device) -> None:
        store = MemoryArtifactStore()
        self.model = store.put(subject.file())
        self.used: Counter[str] = Counter()
        recorder = Recorder("float32", 1 << 30) if device.type == "cuda" else None
        tiers = [Tier("device", device, 1 << 30), Tier("host", torch.device("cpu"), 1 << 31)]
        self.executor = Executor(
            ResidentModels(store, device, 1 << 30),
            AdaptedModels(_absent, tiers if device.type == "cuda" else tiers[1:]),
            Passes(
                Plans(device, None, lambda _, plan: self.used.update([str(plan)]), recorder=recorder),
                device,
                1 << 24,
            ),
            device,
        )

    def run(self, calls: Sequence[Any]) -> list[Reply]:
        return self.executor.run(calls)


def _absent(digest: str) -> bytes:
    raise NotFound(digest)


def _of_executor(subject: Subject, device: torch.device, options: Options) -> list[Figure]:
    engine = _Engine(subject, device)
    batches = [
        [AdaptCall(engine.model, subject.given(first + m)) for m in range(TASKS)]
        for first in range(0, ADAPTED, TASKS)
    ]
    made = [reply for batch in batches for reply in engine.run(batch)]
    digests = [reply.digest for reply in made if isinstance(reply, AdaptReply)]
    if len(digests) != ADAPTED:
        raise RuntimeError(
            f"not all were adapted: {[one for one in made if not isinstance(one, AdaptReply)][:1]}"
        )
    picked = np.random.default_rng(options.seed).integers(0, ADAPTED, (8, TASKS))
    queries = [
        [
            PredictCall(engine.model, digests[which], subject.inputs(QUERIES, int(which) + 5000))
            for which in some
        ]
        for some in picked
    ]
    figures = []
    for kind, work in (("adaptations", batches), ("predictions", queries)):
        for batch, _ in zip(cycle(work), range(_SETTLING), strict=False):
            engine.run(batch)
        engine.used.clear()
        rates = [_rate(engine.run, work, options.seconds) for _ in range(options.rounds)]
        told = ", ".join(dict(engine.used.most_common()))
        say(f"{subject.name}: {kind} {number(float(np.median(rates)))}/s by {told}")
        figures.append(
            Figure(
                what=f"{subject.name}: {kind}",
                value=float(np.median(rates)),
                unit="/s",
                beside=f"plan: {told}; {spread(rates)}",
            )
        )
    figures.append(_invariance(subject, engine, batches[0]))
    return figures


def _rate(run: Callable[[Any], Any], work: Sequence[Sequence[Any]], seconds: float) -> float:
    """Calls a second."""
    done, began = 0, time.perf_counter()
    for batch in cycle(work):
        run(batch)
        done += len(batch)
        if time.perf_counter() - began >= seconds:
            break
    return done / (time.perf_counter() - began)


def _invariance(subject: Subject, engine: _Engine, batch: Sequence[AdaptCall]) -> Figure:
    together = [reply for reply in engine.run(batch) if isinstance(reply, AdaptReply)]
    few = range(0, TASKS, 16)
    worst = 0.0
    for place in few:
        (alone,) = engine.run([batch[place]])
        assert isinstance(alone, AdaptReply)
        mine, theirs = (decode_tensors(bytes(one.params)) for one in (together[place], alone))
        for name, value in mine.items():
            apart = np.abs(value - theirs[name]) / np.maximum(1.0, np.abs(value))
            worst = max(worst, float(apart.max(initial=0.0)))
    return Figure(
        what=f"{subject.name}: alone against in company, largest difference", value=worst, at_most=GATE
    )


def _of_plans(subject: Subject, device: torch.device, card: Card, options: Options) -> Any:
    """Each plan's rate on the device alone, for adapting and for predicting, beside its floor."""
    models = MemoryArtifactStore()
    model = ResidentModels(models, device, 1 << 30).get(models.put(subject.file()))
    width = model.layout(subject.ways).width
    for kind, spec in _specs(subject, model):
        generator = torch.Generator().manual_seed(options.seed)
        tensors = [
            _filled(one, generator, subject.ways) for one in example_tensors(spec, TASKS, width, device)
        ]
        program = build_program(spec, model.meta_params)
        floor = 1 / card.seconds(_operations(program.each, model.meta_params, tensors), _bytes(kind, width))
        names = sorted(model.meta_params)
        ways: list[tuple[str, Callable[[], Any]]] = [
            ("together", lambda: program.together(model.meta_params, tensors)),  # noqa: B023
            ("each", lambda: program.each(model.meta_params, tensors)),  # noqa: B023
        ]
        if device.type == "cuda":
            given = [*(model.meta_params[name] for name in names), *tensors]
            for recorded in Recorder("bfloat16", 1 << 30).recordings(spec, model.meta_params, tensors):
                ways.append((str(recorded.plan), lambda recorded=recorded: recorded.run(*given)))  # type: ignore[misc] # noqa: B023
        for plan, run in ways:
            rate = TASKS / card.seconds_of(run, options.seconds)
            say(f"{subject.name}: {kind} by {plan} {number(rate)}/s of {number(round(floor))}")
            yield {"kind": kind, "plan": plan, "rate": rate, "floor": floor}


def _specs(subject: Subject, model: ResidentModel) -> list[tuple[str, ProgramSpec]]:
    def spec(**rest: Any) -> ProgramSpec:
        return ProgramSpec(
            learner=model.spec({}),
            signature=model.signature,
            max_ways=model.manifest.max_ways,
            ways=subject.ways,
            **rest,
        )

    return [
        ("adaptations", spec(kind="adapt", support=subject.support)),
        ("predictions", spec(kind="predict", queries=QUERIES)),
    ]


def _filled(example: Tensor, generator: torch.Generator, ways: int) -> Tensor:
    """Numbers in place of zeros, which some devices multiply faster; class slots and ones."""
    if example.dtype == torch.int64:
        return (torch.arange(example.numel()).view(example.shape) % max(1, ways)).to(example.device)
    if example.dim() == 2 and example.shape[1] <= 16:
        return torch.ones_like(example)
    return (torch.rand(example.shape, generator=generator) * 0.1).to(example.device)


def _operations(run: Callable[..., Any], meta_params: Any, tensors: Sequence[Tensor]) -> float:
    """Multiplications and additions of one task's products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        run(meta_params, [tensor[:1] for tensor in tensors])
    return float(counter.get_total_flops())


def _bytes(kind: str, width: int) -> float:
    """What one task moves at least: its row, written by adapting and read by predicting."""
    del kind
    return 4.0 * width
