"""Meta-training on a GPU: tasks a second of each of our plans beside torchopt's and higher's, in one run.

    python -P -m tests.benchmarks.meta_training_gpu [--omniglot omniglot_background.npz]

As `meta_training`, with everything but the sampling on the GPU, on all sides in float32 (convolutions too); our
recordings in TF32 are told beside, and hold no gate. Writes docs/benchmarks/meta_training_gpu.json.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from models.build import build_family, build_learner
from models.episode import MetaBatch
from models.precision import set_precision
from models.programs.recorded import NotRecordable
from models.spec import max_ways_of, signature_of
from models.training.gpu_plans import gpu_plan, gpu_plan_names
from models.training.meta_trainer import MetaTrainer
from models.training.outer_step import flatten, unflatten
from models.training.program import ProgramSpec
from tests.benchmarks.maml_peers import PEERS, Peer, conv4
from tests.benchmarks.progress import say
from tests.benchmarks.training_contenders import Contender, operations, peer_of, row, table
from tests.benchmarks.training_settings import Setting, omniglot, sinusoid

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "meta_training_gpu.json"
GATES = {"torchopt": 5.0, "higher": 5.0}
_BLOCKS = 4  # of ours in a call: what a worker trains between two reports is more
_PEER_STEPS = 2


def measure(setting: Setting, device: torch.device, turns: int, seconds: float) -> dict[str, Any]:
    """Every contender in turn; a record of what they did."""
    config = setting.config
    family = build_family(config.tasks, setting.data)
    signature = signature_of(config.tasks, setting.data.wire_shape if setting.data else None)
    max_ways = max_ways_of(config.learner, config.tasks)
    tasks = config.training.meta_batch_size

    def trainer() -> MetaTrainer:
        learner = build_learner(config.learner, signature, max_ways)
        return MetaTrainer(config.training, family, learner, device)

    ours = trainer()
    program = ProgramSpec.of(config.learner, signature, max_ways, ours)
    contenders = list(_plans(program, trainer, also_tf32=setting.module is conv4))
    generator = torch.Generator().manual_seed(1)
    differences = {}
    for kind in PEERS:
        peer = peer_of(kind, setting, ours)
        peer.network.to(device)
        differences[peer.name] = _difference(peer, ours)
        sample = _sampler(family.sample, generator, tasks, device)
        contenders.append(Contender(peer.name, _steps_of(peer, sample, device), at_once=_PEER_STEPS))
    for contender in contenders:
        contender.steps(contender.at_once)
    for turn in range(turns):
        for contender in contenders:
            contender.turn(seconds, tasks)
        say(
            f"turn {turn + 1}: " + ", ".join(f"{one.name} {one.rates[-1]:,.0f} tasks/s" for one in contenders)
        )
    exact = [one for one in contenders if one.name.startswith("ours") and "tf32" not in one.name]
    best = max(exact, key=lambda one: statistics.median(one.rates))
    floor = _matmul_rate(device) / operations(ours)
    return {
        "setting": setting.name,
        "threads": torch.get_num_threads(),
        "meta_batch_size": tasks,
        "rows": [row(one, best, setting.gates, floor) for one in contenders],
        "floor_tasks_per_second": floor,
        "relative_difference_of_meta_gradients": differences,
        "compile_seconds": None,
    }


def _plans(program: ProgramSpec, trainer: Callable[[], MetaTrainer], also_tf32: bool) -> Iterator[Contender]:
    """Each of our plans that can be had, ready to run."""
    names = gpu_plan_names(program)
    wanted = [(name, "float32") for name in names]
    wanted += [(name, "tf32") for name in names[1:] if also_tf32]
    for name, precision in wanted:
        one = trainer()
        plan = gpu_plan(name, program, one)
        assert plan is not None
        one.use(plan)
        # A recording keeps what it was recorded with.
        set_precision("tf32" if precision == "tf32" else "float32")
        try:
            began = time.perf_counter()
            one.run(one.blocks.length)
            say(f"{name} {precision}: ready after {time.perf_counter() - began:.1f} s")
        except (NotRecordable, torch.OutOfMemoryError) as error:
            say(f"{name} {precision} cannot be had: {error}")
            continue
        finally:
            set_precision("float32")
        told = f"ours, {name}" + (" tf32" if precision == "tf32" else "")
        yield Contender(told, one.run, at_once=_BLOCKS * one.blocks.length)


def _sampler(
    sample: Callable[..., MetaBatch], generator: torch.Generator, tasks: int, device: torch.device
) -> Callable[[], MetaBatch]:
    return lambda: unflatten(tuple(one.to(device) for one in flatten(sample(generator, tasks))))


def _steps_of(peer: Peer, sample: Callable[[], MetaBatch], device: torch.device) -> Callable[[int], None]:
    def steps(count: int) -> None:
        for _ in range(count):
            peer.outer_step(sample())
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return steps


def _difference(peer: Peer, ours: MetaTrainer) -> float:
    """Of the peer's meta-gradient and ours, on one meta-batch: the norm, relative to the gradient's."""
    batch = _sampler(ours.family.sample, torch.Generator().manual_seed(7), 4, ours.device)()
    peer.network.zero_grad()
    peer.meta_gradient(batch)
    found = [param.grad.flatten() for param in peer.network.parameters() if param.grad is not None]
    theirs = torch.cat(found)
    gradient, _ = ours.step.batch_gradient(ours.outer_state.params, *flatten(batch))
    return float((gradient - theirs).norm() / theirs.norm())


def _matmul_rate(device: torch.device) -> float:
    """Multiplications and additions a second of a large float32 product, at best."""
    size, times = (8192 if device.type == "cuda" else 1024), []
    left, right = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
    for _ in range(6):
        began = time.perf_counter()
        (left @ right)[0, 0].item()
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--omniglot", type=Path, help="an npz with Omniglot's images and labels")
    parser.add_argument("--only", choices=["sinusoid", "omniglot"])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn")
    parser.add_argument("--device", default="cuda", help="anything but a GPU only shows that this runs")
    given = parser.parse_args()
    device = torch.device(given.device)
    set_precision("float32")
    settings = [] if given.only == "omniglot" else [sinusoid()]
    if given.only != "sinusoid":
        settings.append(omniglot(given.omniglot, os.cpu_count() or 1))
        settings[-1].gates.update(GATES)
    records = [measure(setting, device, given.turns, given.seconds) for setting in settings]
    for record in records:
        print(table(record))
    machine = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
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
    if apart > 1e-4 or not all(one["held"] for record in records for one in record["rows"]):
        sys.exit("a gate was missed")


if __name__ == "__main__":
    main()
