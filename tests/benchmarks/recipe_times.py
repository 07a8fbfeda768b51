"""How long recipes train: to the end where that is soon, or by their steps.

    python -P -m tests.benchmarks recipe_times --data FOLDER                     on this machine's CPU
    python -P -m tests.benchmarks.recipe_times --data FOLDER --device cuda       on its GPU: recipe_times_gpu.json
    python -P -m tests.benchmarks.recipe_times --data FOLDER --only RECIPE ...   these, and the others' rows stay

FOLDER holds omniglot_background.npz, fsdd_logmel.npz, personal/assist2009.parquet and text/clinc150.parquet.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import torch

from models.programs.folder import ProgramFolder
from models.spec import EncoderSpec, EnvironmentSpec
from models.training.compile_program import COMPILER
from models.training.config import MetaTrainingConfig
from models.training.plans import EAGER_PLANS
from models.training.recipes import RECIPES
from models.training.recipes.recipe import Recipe
from services.jobs.meta_training import MetaTraining
from services.jobs.training import Training
from tests.benchmarks import page
from tests.benchmarks.figures import FOLDER, Figure, Report, read_report, rows_of
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say
from tests.benchmarks.recipe_runs import run_of


class Patience(NamedTuple):
    """Seconds: what is longer than `whole` is reckoned, from steps taken for `trial`, after others for `warm`."""

    whole: float
    trial: float
    warm: float


PATIENCE = {"cpu": Patience(120.0, 4.0, 1.0), "cuda": Patience(6.0, 2.0, 0.5)}


def measure(options: Options) -> Report:
    """Every recipe, on the CPU. Raises ValueError where no folder of data was named."""
    if options.data is None:
        raise ValueError("recipe_times needs --data")
    return measured(RECIPES, options.data, "cpu", options.seed)


def measured(
    recipes: Sequence[Recipe], folder: Path, device: str, seed: int, out: Path | None = None
) -> Report:
    """What is done is on disk before the next begins, where `out` is given. What fails has a figure of NaN."""
    report = _report([], device, seed)
    figures = report.figures
    if out is not None and (path := out / f"{report.suite}.json").exists():
        asked = {recipe.name for recipe in recipes}
        figures += [figure for figure in read_report(path).figures if figure.what not in asked]
    for recipe in recipes:
        try:
            with TemporaryDirectory() as scratch:
                figures.append(timed(recipe, folder, device, Path(scratch)))
        except Exception as error:
            traceback.print_exc()
            figures.append(Figure(what=recipe.name, value=float("nan"), unit=" min", beside=str(error)[:200]))
        told = figures[-1]
        say(f"{told.what}: {told.measured}, {told.beside}")
        if out is not None:
            figures.sort(key=lambda figure: figure.what)
            report.write(out)
    return report


def _report(figures: list[Figure], device: str, seed: int) -> Report:
    on_gpu = device == "cuda"
    plan = "the quickest of a GPU's plans" if on_gpu else "the quicker eager plan"
    compiled = "" if on_gpu else ": a compiled program would be quicker still"
    return Report(
        suite="recipe_times_gpu" if on_gpu else "recipe_times",
        title="Times of recipes on a GPU" if on_gpu else "Times of recipes",
        how=(
            f"A recipe's training as a job runs it, by {plan}, without its meta-test{compiled}. What takes more "
            f"than {PATIENCE[device].whole:.0f} s is reckoned from its own steps."
        ),
        seed=seed,
        scale={"cores": cpu_count()},
        figures=figures,
        device=torch.cuda.get_device_name() if on_gpu else device,
    )


def timed(recipe: Recipe, folder: Path, device: str, scratch: Path) -> Figure:
    """Minutes of one recipe's training, of all its phases."""
    config, patience = recipe.config, PATIENCE[device]
    plan, seconds = min(trials(config, folder, device, scratch), key=lambda one: one[1])
    whole = seconds * config.training.iterations
    steps = f"{config.training.iterations:,} iterations, {1000 * seconds:.3g} ms each, {plan}"
    if config.training.pretrain is not None:
        whole += pretraining(config, folder, device, scratch)
        steps += ", and pretraining"
    if whole >= patience.whole:
        return Figure(what=recipe.name, value=whole / 60, unit=" min", beside=f"{steps}: reckoned")
    run, began = begun(config, folder, device, plan, scratch), time.monotonic()
    while not run.finished:
        run.run(1000)
    taken = (time.monotonic() - began) / 60
    return Figure(what=recipe.name, value=taken, unit=" min", beside=f"{steps}: to the end")


def trials(
    config: MetaTrainingConfig, folder: Path, device: str, scratch: Path
) -> Iterator[tuple[str, float]]:
    """Seconds an iteration by each eager plan; on a GPU by the plan that a run measured there, its own way."""
    training = msgspec.structs.replace(config.training, pretrain=None)
    config, patience = msgspec.structs.replace(config, training=training), PATIENCE[device]
    network = config.learner.network
    one_way = device == "cuda" or isinstance(config.tasks, EnvironmentSpec)
    one_way |= isinstance(network, EncoderSpec) and network.is_tuned
    for plan in ("",) if one_way else EAGER_PLANS:
        run = begun(config, folder, device, plan, scratch)
        seconds = _pace(run, patience)
        yield run.plan, seconds


def pretraining(config: MetaTrainingConfig, folder: Path, device: str, scratch: Path) -> float:
    """Seconds of a run's first phase, by its own steps."""
    assert config.training.pretrain is not None
    pace = _pace(begun(config, folder, device, "", scratch), PATIENCE[device])
    return config.training.pretrain.iterations * pace


def _pace(run: Training, patience: Patience) -> float:
    """Seconds an iteration, of the phase that the run is in."""
    phase, began = run.phase, time.monotonic()
    taken = _steps(run, patience.warm)
    if run.phase == phase and not run.finished:
        began = time.monotonic()
        taken = _steps(run, patience.trial)
    return (time.monotonic() - began) / taken


def _steps(run: Training, seconds: float) -> int:
    """Iterations taken of one phase in so many seconds, one at least, more at a time the more that are quick."""
    first, phase, stride, began = run.iteration, run.phase, 1, time.monotonic()
    while run.iteration == first or (
        not run.finished and run.phase == phase and time.monotonic() - began < seconds
    ):
        before = time.monotonic()
        run.run(stride)
        if time.monotonic() - before < seconds / 10:
            stride *= 2
    return run.iteration - first


def begun(config: MetaTrainingConfig, folder: Path, device: str, plan: str, scratch: Path) -> Training:
    """A run of a job's own, by an eager plan where one is named."""
    run = run_of(config, folder, device, ProgramFolder(scratch, COMPILER) if device == "cuda" else None)
    if isinstance(run, MetaTraining) and plan in EAGER_PLANS and device == "cpu":
        trainer = run.phases.trainer
        trainer.use(EAGER_PLANS[plan](trainer.step))
    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--device", choices=PATIENCE, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", nargs="+", choices=[recipe.name for recipe in RECIPES])
    given = parser.parse_args()
    recipes = [recipe for recipe in RECIPES if given.only is None or recipe.name in given.only]
    report = measured(recipes, given.data, given.device, seed=0, out=given.out)
    print("\n".join(rows_of(report.figures)))
    if given.out == FOLDER:
        page.write([])


if __name__ == "__main__":
    sys.exit(main())
