"""A recipe trained by the project's own trainer, and scored on fresh episodes. Knows no data set and no service."""

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import torch
from torch import Tensor

from models.build import build_family, build_learner
from models.networks.kernels import Kernels
from models.spec import LearnerSpec, Signature, max_ways_of, signature_of
from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig
from models.training.evaluation import evaluate
from models.training.gpu_plans import gpu_plan, gpu_plan_names
from models.training.graph_plan import GraphPlan
from models.training.meta_trainer import MetaTrainer
from models.training.outer_step import OuterStep
from models.training.planner import seconds_a_step
from models.training.plans import LoopPlan, Plan, VmapPlan
from models.training.program import ProgramSpec
from models.training.recipes import RECIPES
from models.training.tracing import PATIENCE

# Outer steps before one's time is taken: the first ones allocate and choose kernels. And how long it is taken for.
WARM = 3
PROBE_S = 2.0
STRIDE_S = 10.0

# How far a plan's meta-gradient may be from the plain one's, relative to its size: bfloat16 keeps 8 digits of 24.
MOST_APART = 0.1

# Of the time that is given, what training may take: what else the device does makes later steps slower.
SHARE = 0.93

# An artifact's parts hold so many bytes at most.
PART = 15 << 20


class Trained(NamedTuple):
    """What came of one configuration on one device."""

    config: MetaTrainingConfig
    params: dict[str, Tensor]
    seconds: float
    step_seconds: float
    plan: str
    history: list[dict[str, float]]

    @property
    def how_long(self) -> str:
        """Its outer steps and seconds; where the time was over before the schedule, that too."""
        taken, planned = int(self.history[-1]["iteration"]), self.config.training.iterations
        short = "" if taken == planned else f" of {planned} (the time was over)"
        return f"{taken}{short} outer steps in {self.seconds:.0f} s"


def config_of(name: str, overrides: Mapping[str, Any]) -> MetaTrainingConfig:
    """The recipe of that name, with overrides by part: {"training": {"iterations": 5}}; raises StopIteration."""
    plain = msgspec.to_builtins(next(recipe.config for recipe in RECIPES if recipe.name == name))
    return msgspec.convert(_laid_over(plain, overrides), MetaTrainingConfig)


def _laid_over(plain: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(plain)
    for name, change in changes.items():
        present = result.get(name)
        both = isinstance(change, Mapping) and isinstance(present, dict)
        result[name] = _laid_over(present, change) if both else change
    return result


def trainer_of(config: MetaTrainingConfig, data: LabelledData, device: str) -> MetaTrainer:
    """A fresh trainer; episodes are made where the device is."""
    family = build_family(config.tasks, data.to(device))
    signature, max_ways = (
        signature_of(config.tasks, data.wire_shape),
        max_ways_of(config.learner, config.tasks),
    )
    learner = build_learner(config.learner, signature, max_ways, Kernels(backbone=config.training.precision))
    return MetaTrainer(config.training, family, learner, device)


def train(
    config: MetaTrainingConfig, data: LabelledData, device: str, seconds: float | None = None
) -> Trained:
    """Train it; with `seconds`, for as many outer steps as that time has room for, by one step's time."""
    began = time.monotonic()
    trainer = trainer_of(config, data, device)
    plan, step_seconds = quickest_plan(trainer, config, data), 0.0
    if seconds is not None:
        step_seconds = probe(trainer, plan)
        left = SHARE * (began + seconds - time.monotonic())
        iterations = max(20, int(left / step_seconds))
        config = with_training(config, iterations=iterations)
        print(f"  {step_seconds * 1000:.1f} ms a step by {plan.name}: {iterations} iterations", flush=True)
        trainer = trainer_of(config, data, device)
    # What a step computes is the same for any number of iterations.
    trainer.use(plan)
    history: list[dict[str, float]] = []
    stride, deadline = 10, None if seconds is None else began + seconds
    # Some steps are taken however little time tracing left.
    while not trainer.finished and (not history or deadline is None or time.monotonic() < deadline):
        at, before = trainer.iteration, time.monotonic()
        means = trainer.run(stride)
        taken = (time.monotonic() - before) / (trainer.iteration - at)
        stride = max(1, int(STRIDE_S / taken))
        history.append({"iteration": trainer.iteration, "seconds": time.monotonic() - began, **means})
        told = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
        print(f"  {trainer.iteration}/{config.training.iterations}: {told}", flush=True)
    seconds_taken = time.monotonic() - began
    return Trained(config, trainer.meta_params, seconds_taken, step_seconds, plan.name, history)


def quickest_plan(trainer: MetaTrainer, config: MetaTrainingConfig, data: LabelledData) -> Plan:
    """All tasks in one pass, traced at once, or the quickest of what the device has beside it: a GPU's recordings,
    and bfloat16 where no gradient is a gradient's."""
    state, block = trainer.outer_state, trainer.blocks.at(0)
    vmap = VmapPlan(trainer.step)
    inputs = (*state, block.rates[0], *block.episodes_at(0))
    vmap.traced.calls(PATIENCE, *inputs)
    vmap.traced.calls(0, *inputs)
    expected = vmap.run(state, block, 0, 1)[0].exp_avg
    steps, best, least = min(4, len(block.rates)), cast(Plan, vmap), math.inf
    plans = gpu_plans if trainer.device.type == "cuda" else cpu_plans
    for plan in [vmap, *plans(trainer, config, data)]:
        try:
            apart = (plan.run(state, block, 0, 1)[0].exp_avg - expected).norm() / expected.norm()
            seconds = seconds_a_step(plan, state, block, steps)
        except RuntimeError as error:  # not recordable, or out of memory
            print(f"  {plan.name}: {error}", flush=True)
            continue
        print(f"  {plan.name}: {1000 * seconds:.2f} ms a step, {apart:.2g} apart", flush=True)
        if seconds < least and apart < MOST_APART:
            best, least = plan, seconds
    return best


def gpu_plans(trainer: MetaTrainer, config: MetaTrainingConfig, data: LabelledData) -> Iterator[Plan]:
    """Recordings, one at a time."""
    signature = signature_of(config.tasks, data.wire_shape)
    max_ways = max_ways_of(config.learner, config.tasks)
    program = ProgramSpec.of(config.learner, signature, max_ways, trainer)
    for name in gpu_plan_names(program)[1:]:
        plan = gpu_plan(name, program, trainer)
        if plan is not None:
            yield plan
    if not config.learner.algorithm.gradient_steps:
        yield GraphPlan("cuda_graph bfloat16", in_bfloat16(trainer, config, data))


def cpu_plans(trainer: MetaTrainer, config: MetaTrainingConfig, data: LabelledData) -> Iterator[Plan]:
    """A task at a time, as a job has it too, and in bfloat16, where the CPU has instructions for it: elsewhere that
    would be slower than float32."""
    block = trainer.blocks.at(0)
    one_task, episodes = LoopPlan(trainer.step), block.episodes_at(0)
    given = (trainer.outer_state.params, *(tensor[0] for tensor in episodes))
    one_task.traced.calls(PATIENCE, *given)
    one_task.traced.calls(0, *given)
    yield one_task
    rounded = config.training.precision == "bfloat16" or config.learner.algorithm.gradient_steps > 0
    if rounded or not torch.cpu._is_avx512_bf16_supported():
        return
    one_pass = VmapPlan(in_bfloat16(trainer, config, data))
    one_pass.name = "vmap bfloat16"
    given = (*trainer.outer_state, block.rates[0], *episodes)
    one_pass.traced.calls(PATIENCE, *given)
    one_pass.traced.calls(0, *given)
    yield one_pass


def in_bfloat16(trainer: MetaTrainer, config: MetaTrainingConfig, data: LabelledData) -> OuterStep:
    """The trainer's step with its backbone rounded."""
    signature = signature_of(config.tasks, data.wire_shape)
    max_ways = max_ways_of(config.learner, config.tasks)
    learner = build_learner(config.learner, signature, max_ways, Kernels(backbone="bfloat16"))
    return OuterStep(learner, trainer.step.layout, trainer.step.update, trainer.blocks.example)


def probe(trainer: MetaTrainer, plan: Plan) -> float:
    """Seconds that an outer step takes, its episodes included; no fewer than five are timed."""
    trainer.use(plan)
    trainer.run(WARM)
    began, steps = time.monotonic(), 0
    while steps < 5 or time.monotonic() - began < PROBE_S:
        trainer.run(5)
        steps += 5
    return (time.monotonic() - began) / steps


def with_training(config: MetaTrainingConfig, **changes: Any) -> MetaTrainingConfig:
    return msgspec.structs.replace(config, training=msgspec.structs.replace(config.training, **changes))


def score(
    trained: Trained,
    data: LabelledData,
    device: str,
    *,
    episodes: int,
    seed: int,
    learner: LearnerSpec | None = None,
    tasks: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """`evaluate` on `episodes` held-out ones, perhaps of other ways, or by another description of the learner."""
    config = trained.config
    spec = msgspec.structs.replace(config.tasks, **(tasks or {}))
    signature: Signature = signature_of(config.tasks, data.wire_shape)
    built = build_learner(learner or config.learner, signature, max_ways_of(config.learner, config.tasks))
    family = build_family(spec, data.to(device))
    return evaluate(built, trained.params, family, episodes=episodes, seed=seed, device=device)


def keep(params: Mapping[str, Tensor], folder: Path, name: str, config: MetaTrainingConfig) -> list[Path]:
    """The parameters as `<name>-<part>.safetensors`, each within a part's size, with the configuration; npz where
    safetensors is not installed."""
    parts: list[dict[str, Tensor]] = [{}]
    for key, value in params.items():
        if sum(one.nbytes for one in parts[-1].values()) + value.nbytes > PART:
            parts.append({})
        parts[-1][key] = value.contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    plain = msgspec.json.encode(config).decode()
    paths = []
    for place, part in enumerate(parts):
        path = folder / f"{name}-{place}.safetensors"
        try:
            from safetensors.torch import save_file

            save_file(part, path, {"config": plain, "part": f"{place + 1} of {len(parts)}"})
        except ImportError:
            import numpy as np

            path = path.with_suffix(".npz")
            np.savez(path, **{key: value.numpy() for key, value in part.items()})
        paths.append(path)
    return paths


def kept(folder: Path, name: str) -> tuple[MetaTrainingConfig, dict[str, Tensor]]:
    """What `keep` wrote as safetensors. Raises FileNotFoundError where it did not."""
    from safetensors import safe_open

    params, plain = {}, None
    for path in sorted(folder.glob(f"{name}-*.safetensors")):
        with safe_open(path, "pt") as file:
            plain = file.metadata()["config"]
            params |= {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if plain is None:
        raise FileNotFoundError(f"{folder} has no {name}-0.safetensors")
    return msgspec.json.decode(plain, type=MetaTrainingConfig), params
