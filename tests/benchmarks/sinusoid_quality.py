"""The squared errors that sinusoid recipes reach, beside the published ones: how well, not how fast.

Every recipe is meta-trained from several seeds on one thread, by a compiled program where there is a C++ compiler,
and scored on held-out tasks after 1, 5 and 10 inner steps: so many that one in thousands shows on which the inner
loop runs away. It counts as it is.
"""

import math
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import torch

from models.build import build_family, build_learner
from models.programs.folder import ProgramFolder, has_compiler
from models.spec import signature_of
from models.training.compile_program import COMPILER
from models.training.config import MetaTrainingConfig
from models.training.evaluation import Z95, meta_test
from models.training.meta_trainer import MetaTrainer
from models.training.program import CompiledPlan, ProgramSpec
from models.training.recipes import RECIPES
from tests.benchmarks.compiling import compiled_beside
from tests.benchmarks.figures import Figure, Report, number
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

# Meta-test episodes are drawn apart from the training episodes of the same seed.
_TEST_SEED = 1 << 31
_TEST_TASKS = 8000
_CHUNK = 5000


class Gate(NamedTuple):
    """What a recipe's mean squared error may be, by the name of the score; `cpu_seconds` its training."""

    recipe: str
    errors: Mapping[str, float]
    cpu_seconds: float | None = None


def _steps(one: float, five: float, ten: float) -> dict[str, float]:
    return {"step_1_loss": one, "step_5_loss": five, "step_10_loss": ten}


GATES = (
    Gate("sinusoid-maml-paper", _steps(0.35, 0.16, 0.12)),
    Gate("sinusoid-maml-k5", _steps(0.67, 0.38, 0.35)),
    Gate("sinusoid-mamlpp-k5", _steps(0.67, 0.38, 0.35)),
    Gate("sinusoid-ridge", {"loss": 0.0005}, cpu_seconds=180.0),
)


def measure(options: Options) -> Report:
    torch.set_num_threads(1)
    configs = {recipe.name: recipe.config for recipe in RECIPES}
    figures: list[Figure] = []
    series: dict[str, Any] = {}
    seeds = range(options.seed, options.seed + options.seeds)
    with TemporaryDirectory() as scratch:
        folder = ProgramFolder(options.compiled or Path(scratch), COMPILER)
        for gate in GATES:
            config = configs[gate.recipe]
            if options.iterations is not None:
                training = msgspec.structs.replace(config.training, iterations=options.iterations)
                config = msgspec.structs.replace(config, training=training)
            runs = [run(gate.recipe, config, seed, folder, options.patience) for seed in seeds]
            series[gate.recipe] = runs
            figures += figures_of(gate, config, runs)
    return Report(
        suite="sinusoid_quality",
        title="Sinusoids: how well recipes learn",
        how=(
            f"Squared error on {_TEST_TASKS:,} held-out sinusoids (Finn et al. 2017), and the mean of the seeds; "
            "each seed's with a standard error over its tasks. Each recipe is trained on one thread."
        ),
        seed=options.seed,
        scale={"seeds": options.seeds, "iterations": options.iterations or "the recipes' own"},
        figures=figures,
        series=series,
    )


def run(
    name: str, config: MetaTrainingConfig, seed: int, folder: ProgramFolder, patience: float
) -> dict[str, float]:
    """Train from one seed; the scores of the meta-test, and `cpu_seconds` of processor time for the training."""
    training = msgspec.structs.replace(config.training, seed=seed)
    signature, family = signature_of(config.tasks), build_family(config.tasks)
    trainer = MetaTrainer(training, family, build_learner(config.learner, signature))
    if has_compiler():
        program = ProgramSpec.of(config.learner, signature, None, trainer)
        compiled_beside(program, folder, patience)
        path = folder.program(program.key)
        assert path is not None
        trainer.use(CompiledPlan(path, len(trainer.step.metric_names)))
    began = time.process_time()
    while not trainer.finished:
        trainer.run(_CHUNK)
    seconds = time.process_time() - began
    scores = meta_test(
        config.learner,
        signature,
        None,
        trainer.meta_params,
        family,
        episodes=max(training.test_episodes, _TEST_TASKS),
        seed=_TEST_SEED + seed,
    )
    losses = {key: finite(value) for key, value in scores.items() if "loss" in key}
    told = ", ".join(f"{key} {number(value)}" for key, value in losses.items() if not key.endswith("ci95"))
    say(f"{name}, seed {seed}: {told}; {seconds:.0f} s of processor time")
    return {**losses, "cpu_seconds": seconds}


def figures_of(gate: Gate, config: MetaTrainingConfig, runs: list[dict[str, float]]) -> list[Figure]:
    iterations = f"{number(config.training.iterations)} iterations"
    figures = []
    for key, bound in gate.errors.items():
        values = [one[key] for one in runs]
        after = f" after {key.split('_')[1]} inner step(s)" if key != "loss" else ""
        spreads = [one[f"{key}_ci95"] / Z95 for one in runs]
        each = [f"{number(value)} ± {number(spread)}" for value, spread in zip(values, spreads, strict=True)]
        beside = f"each seed's: {', '.join(each)}"
        figures.append(
            Figure(
                what=f"`{gate.recipe}`, {iterations}: squared error{after}",
                value=statistics.fmean(values),
                at_most=bound,
                beside=beside,
            )
        )
    figures.append(
        Figure(
            what=f"`{gate.recipe}`: processor time of one training",
            value=statistics.fmean(one["cpu_seconds"] for one in runs),
            unit=" s",
            at_most=gate.cpu_seconds,
        )
    )
    return figures


def finite(value: float) -> float:
    """JSON knows no infinity: an error that is not finite is the largest number there is."""
    return value if math.isfinite(value) else sys.float_info.max
