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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from models.build import build_family, build_learner
from models.programs.folder import ProgramFolder
from models.spec import max_ways_of, signature_of
from models.training.compile_program import COMPILER
from models.training.meta_trainer import MetaTrainer
from models.training.planner import Planner
from models.training.program import CompiledPlan, ProgramSpec
from models.training.tracing import PATIENCE
from tests.benchmarks.compiling import compiled_beside
from tests.benchmarks.maml_peers import PEERS, mlp
from tests.benchmarks.training_contenders import (
    Contender,
    difference,
    operations,
    peer_of,
    peer_steps,
    row,
    table,
)
from tests.benchmarks.training_settings import Setting, omniglot, sinusoid

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "meta_training.json"


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


def matmul_rate() -> float:
    """Multiplications and additions a second of a large matrix product, at best: what the cores can do."""
    size, times = 1024, []
    left, right = torch.rand(size, size), torch.rand(size, size)
    for _ in range(10):
        began = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times)


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
