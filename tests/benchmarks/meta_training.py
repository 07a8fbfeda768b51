"""Meta-training, whole: tasks a second of ours beside torchopt's and higher's, in one run.

    python -P -m tests.benchmarks.meta_training [--omniglot omniglot_background.npz]

Sampling, meta-gradient and Adam count on all sides. Contenders take turns, so that what else the machine does falls
on all of them; every ratio is of two figures of one turn, and the median of the turns is told. Needs the `bench`
extra; writes docs/benchmarks/meta_training.json.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from models.build import build_family, build_learner
from models.programs.folder import ProgramFolder
from models.spec import (
    Conv4Spec,
    LabelledSpec,
    LearnerSpec,
    MamlSpec,
    MlpSpec,
    SinusoidSpec,
    max_ways_of,
    signature_of,
)
from models.tasks.labelled_data import LabelledData
from models.training.compile_program import COMPILER
from models.training.config import MetaTrainingConfig, TrainingSpec
from models.training.meta_trainer import MetaTrainer
from models.training.planner import Planner
from models.training.program import CompiledPlan, ProgramSpec
from models.training.tracing import PATIENCE
from tests.benchmarks.compiling import compiled_beside
from tests.benchmarks.maml_peers import PEERS, Loss, Peer, conv4, mlp

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "meta_training.json"
ENDLESS = 10_000_000


@dataclass
class Contender:
    """One way to meta-train; `steps(n)` takes n outer steps. `rates` are its tasks a second, turn by turn."""

    name: str
    steps: Callable[[int], object]
    at_once: int = 1
    rates: list[float] = field(default_factory=list)
    processor_rates: list[float] = field(default_factory=list)

    def turn(self, seconds: float, tasks: int) -> None:
        """Run for about so long, and note tasks of wall time and of processor time."""
        steps, began, worked = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            self.steps(self.at_once)
            steps += self.at_once
        self.rates.append(steps * tasks / (time.perf_counter() - began))
        self.processor_rates.append(steps * tasks / (time.process_time() - worked))


@dataclass(frozen=True)
class Setting:
    """What is trained, by how many threads, and how many times faster than each peer ours has to be."""

    name: str
    config: MetaTrainingConfig
    data: LabelledData | None
    module: Callable[..., torch.nn.Module]
    loss: Loss
    threads: int
    seconds: float  # of a turn
    gates: dict[str, float]


def sinusoid() -> Setting:
    return Setting(
        name="sinusoid MAML, second order, 1-40-40-1, K = 10, 1 inner step",
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=1, inner_lr=0.01), network=MlpSpec(hidden=(40, 40))
            ),
            tasks=SinusoidSpec(n_shot=10, n_query=10),
            training=TrainingSpec(iterations=ENDLESS),
        ),
        data=None,
        module=mlp,
        loss=functional.mse_loss,
        threads=1,
        seconds=2.0,
        gates={"torchopt": 20.0, "higher": 40.0},
    )


def omniglot(path: Path | None, threads: int) -> Setting:
    return Setting(
        name=f"{'Omniglot' if path else 'noise in its shape'}: conv4 MAML, second order, 5-way 1-shot, 1 step",
        config=MetaTrainingConfig(
            learner=LearnerSpec(algorithm=MamlSpec(inner_steps=1, inner_lr=0.4), network=Conv4Spec()),
            tasks=LabelledSpec(dataset="omniglot", n_way=5, n_shot=1, n_query=5),
            training=TrainingSpec(iterations=ENDLESS),
        ),
        data=images(path),
        module=conv4,
        loss=functional.cross_entropy,
        threads=threads,
        seconds=10.0,
        gates={"torchopt": 1.0, "higher": 1.0},
    )


def images(path: Path | None) -> LabelledData:
    """Omniglot's images from an npz with `images` and `labels`; noise of that shape without one."""
    if path is not None:
        with np.load(path) as archive:
            return LabelledData.from_arrays(archive["images"], archive["labels"])
    labels = np.arange(100).repeat(20)
    noise = np.random.default_rng(0).integers(0, 256, (len(labels), 28, 28), dtype=np.uint8)
    return LabelledData.from_arrays(noise, labels)


def measure(setting: Setting, folder: ProgramFolder, turns: int) -> dict[str, Any]:
    """Every contender in turn; a record of what they did."""
    torch.set_num_threads(setting.threads)
    config = setting.config
    family = build_family(config.tasks, setting.data)
    signature = signature_of(config.tasks, setting.data.wire_shape if setting.data else None)
    max_ways = max_ways_of(config.learner, config.tasks)
    tasks = config.training.meta_batch_size

    def trainer() -> MetaTrainer:
        return MetaTrainer(config.training, family, build_learner(config.learner, signature, max_ways))

    ours = trainer()
    program = ProgramSpec.of(config.learner, signature, max_ways, ours)
    Planner(ours, program, folder).begin()
    contenders = [Contender(f"ours, eager {ours.plan.name}", ours.run)]
    compile_seconds = None
    if setting.module is mlp:
        compile_seconds = compiled_beside(program, folder)
        compiled = trainer()
        path = folder.program(program.key)
        assert path is not None
        compiled.use(CompiledPlan(path, len(compiled.step.metric_names)))
        contenders.append(Contender("ours, compiled", compiled.run, at_once=compiled.blocks.length))
    peers = [peer_of(kind, setting, ours) for kind in PEERS]
    differences = {peer.name: difference(peer, ours) for peer in peers}
    generator = torch.Generator().manual_seed(1)
    for peer in peers:
        contenders.append(Contender(peer.name, peer_steps(peer, lambda: family.sample(generator, tasks))))

    ours.run(-(-PATIENCE // (tasks if ours.plan.name == "loop" else 1)) + 1)
    for contender in contenders:
        contender.steps(contender.at_once)
    matmul_rates = []
    for _ in range(turns):
        matmul_rates.append(matmul_rate())
        for contender in contenders:
            contender.turn(setting.seconds, tasks)
    best = max(
        (one for one in contenders if one.name.startswith("ours")),
        key=lambda one: statistics.median(one.rates),
    )
    floor = max(matmul_rates) / operations(ours)
    return {
        "setting": setting.name,
        "threads": setting.threads,
        "meta_batch_size": tasks,
        "rows": [row(one, best, setting.gates, floor) for one in contenders],
        "floor_tasks_per_second": floor,
        "relative_difference_of_meta_gradients": differences,
        "compile_seconds": compile_seconds,
    }


def peer_of(kind: type[Peer], setting: Setting, ours: MetaTrainer) -> Peer:
    """A peer that starts from the parameters that ours has now."""
    algorithm = setting.config.learner.algorithm
    assert isinstance(algorithm, MamlSpec)
    network = setting.module(ours.meta_params)
    return kind(
        network, setting.loss, algorithm.inner_lr, algorithm.inner_steps, setting.config.training.meta_lr
    )


def peer_steps(peer: Peer, sample: Callable[[], Any]) -> Callable[[int], None]:
    def steps(count: int) -> None:
        for _ in range(count):
            peer.outer_step(sample())

    return steps


def difference(peer: Peer, ours: MetaTrainer) -> float:
    """Of the peer's meta-gradient and ours, on one meta-batch: the norm, relative to the gradient's."""
    batch = ours.family.sample(torch.Generator().manual_seed(7), 4)
    peer.network.zero_grad()
    peer.meta_gradient(batch)
    theirs = torch.cat(
        [param.grad.flatten() for param in peer.network.parameters() if param.grad is not None]
    )
    gradient, _ = ours.step.batch_gradient(ours.outer_state.params, *batch.support, *batch.query)
    return float((gradient - theirs).norm() / theirs.norm())


def operations(ours: MetaTrainer) -> float:
    """Multiplications and additions of one task's meta-gradient, those of matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        ours.step.task_gradient(
            ours.outer_state.params, *ours.blocks.example.support, *ours.blocks.example.query
        )
    return float(counter.get_total_flops())


def matmul_rate() -> float:
    """Multiplications and additions a second of a large matrix product, at best: what the cores can do."""
    size, times = 1024, []
    left, right = torch.rand(size, size), torch.rand(size, size)
    for _ in range(10):
        began = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times)


def row(one: Contender, best: Contender, gates: dict[str, float], floor: float) -> dict[str, Any]:
    ratios = [ours / theirs for ours, theirs in zip(best.rates, one.rates, strict=True)]
    ratio, gate = statistics.median(ratios), gates.get(one.name)
    return {
        "contender": one.name,
        "tasks_per_second": statistics.median(one.rates),
        "tasks_per_processor_second": statistics.median(one.processor_rates),
        "share_of_floor": statistics.median(one.rates) / floor,
        "ours_is_faster_by": ratio,
        "lowest_and_highest": [min(ratios), max(ratios)],
        "gate": gate,
        "held": gate is None or ratio >= gate,
    }


def table(record: dict[str, Any]) -> str:
    lines = [
        "",
        f"{record['setting']}, meta-batch {record['meta_batch_size']}, {record['threads']} thread(s)",
        f"{'':26} {'tasks/s':>10} {'a cpu s':>10} {'of floor':>9} {'ours is':>9} {'gate':>7}",
    ]
    for one in record["rows"]:
        gate = "" if one["gate"] is None else f"{one['gate']:.0f}x {'ok' if one['held'] else 'MISSED'}"
        lines.append(
            f"{one['contender']:26} {one['tasks_per_second']:10,.1f} {one['tasks_per_processor_second']:10,.1f} "
            f"{one['share_of_floor']:9.1%} {one['ours_is_faster_by']:8.2f}x {gate:>7}"
        )
    lines.append(f"floor by matrix products alone: {record['floor_tasks_per_second']:,.1f} tasks/s")
    for name, apart in record["relative_difference_of_meta_gradients"].items():
        lines.append(f"meta-gradient against {name}'s: {apart:.1e} apart")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--omniglot", type=Path, help="an npz with Omniglot's images and labels")
    parser.add_argument("--only", choices=["sinusoid", "omniglot"])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--programs", type=Path, help="a folder to keep compiled programs in")
    given = parser.parse_args()
    if "OMP_WAIT_POLICY" not in os.environ:
        # As the worker has it, for all contenders; OpenMP reads it when torch is loaded, so from the beginning.
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.execv(sys.executable, sys.orig_argv)
    settings = []
    if given.only != "omniglot":
        settings.append(sinusoid())
    if given.only != "sinusoid":
        settings.append(omniglot(given.omniglot, os.cpu_count() or 1))
    with tempfile.TemporaryDirectory() as scratch:
        folder = ProgramFolder(given.programs or Path(scratch), COMPILER)
        try:
            records = [measure(setting, folder, given.turns) for setting in settings]
        finally:
            folder.close()
    for record in records:
        print(table(record))
    machine = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(json.dumps({**machine, "turns": given.turns, "settings": records}, indent=1) + "\n")
    apart = max(
        value for record in records for value in record["relative_difference_of_meta_gradients"].values()
    )
    if apart > 1e-5 or not all(one["held"] for record in records for one in record["rows"]):
        sys.exit("a gate was missed")


if __name__ == "__main__":
    main()
