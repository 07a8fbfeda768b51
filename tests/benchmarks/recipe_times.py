"""How long recipes train on this machine's CPU: to the end where that is a matter of minutes, or by their steps.

Needs `--data FOLDER` with omniglot_background.npz, fsdd_logmel.npz and personal/assist2009.parquet. Recipes of text
encoders are timed by `clinc_names`, and `small-tables` by `table_recipe`.
"""

import sys
import time
from collections.abc import Iterator
from os import cpu_count
from pathlib import Path
from typing import Any

import msgspec

from models.spec import EncoderSpec, EnvironmentSpec, LabelledSpec, TablesSpec
from models.training.config import MetaTrainingConfig
from models.training.plans import EAGER_PLANS
from models.training.recipes import RECIPES
from services.jobs.meta_training import MetaTraining
from services.jobs.preparation import prepare
from services.jobs.settings import WorkerSettings
from services.jobs.training import Training
from services.jobs.training_data import training_data
from tests.benchmarks import digits, omniglot
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say
from tests.benchmarks.student_answers import as_dataset, read_answers

WHOLE_S = 60.0  # what takes longer is reckoned
_TRIAL_S = 4.0
_WARM = 3


def measure(options: Options) -> Report:
    """Raises ValueError where no folder of data was named."""
    if options.data is None:
        raise ValueError("recipe_times needs --data")
    figures = []
    for recipe in RECIPES:
        encodes = isinstance(recipe.config.learner.network, EncoderSpec)
        if not encodes and not isinstance(recipe.config.tasks, TablesSpec):
            figures.append(timed(recipe.name, recipe.config, options.data))
            say(f"{recipe.name}: {figures[-1].measured}, {figures[-1].beside}")
    return Report(
        suite="recipe_times",
        title="Times of recipes",
        how=(
            "A recipe's training as a job runs it, by the quicker eager plan, without its meta-test: a compiled "
            f"program would be quicker still. What takes more than {WHOLE_S:.0f} s is reckoned from its own steps."
        ),
        seed=options.seed,
        scale={"cores": cpu_count()},
        figures=figures,
    )


def timed(name: str, config: MetaTrainingConfig, folder: Path) -> Figure:
    """Minutes of one recipe's training."""
    plans = list(trials(config, folder))
    plan, seconds = min(plans, key=lambda one: one[1])
    whole = seconds * config.training.iterations
    steps = f"{config.training.iterations:,} iterations, {1000 * seconds:.3g} ms each, {plan}"
    if config.training.pretrain is not None or whole < WHOLE_S:
        run, began = run_of(config, folder, plan), time.monotonic()
        while not run.finished:
            run.run(1000)
        return Figure(
            what=name, value=(time.monotonic() - began) / 60, unit=" min", beside=f"{steps}: to the end"
        )
    return Figure(what=name, value=whole / 60, unit=" min", beside=f"{steps}: reckoned")


def trials(config: MetaTrainingConfig, folder: Path) -> Iterator[tuple[str, float]]:
    """Seconds an iteration by each eager plan; a policy has but one."""
    training = msgspec.structs.replace(config.training, pretrain=None)
    config = msgspec.structs.replace(config, training=training)
    for plan in ("",) if isinstance(config.tasks, EnvironmentSpec) else EAGER_PLANS:
        run = run_of(config, folder, plan)
        run.run(_WARM)
        began, taken = time.monotonic(), 0
        while not run.finished and time.monotonic() - began < _TRIAL_S:
            run.run(1)
            taken += 1
        yield plan or "one plan", (time.monotonic() - began) / max(taken, 1)


def run_of(config: MetaTrainingConfig, folder: Path, plan: str) -> Training:
    """A fresh run of a job's own, by an eager plan where it has a choice."""
    plain = msgspec.json.decode(msgspec.json.encode(config))
    run = prepare(plain, lambda tasks, *_: data_of(tasks, folder), WorkerSettings(worker_device="cpu"))
    if isinstance(run, MetaTraining) and plan in EAGER_PLANS:
        trainer = run.phases.trainer
        trainer.use(EAGER_PLANS[plan](trainer.step))
    return run


def data_of(tasks: Any, folder: Path) -> Any:
    """What a recipe's tasks are drawn from."""
    if isinstance(tasks, LabelledSpec):
        return digits.read(folder) if tasks.within_task and not tasks.rotations else omniglot.read(folder)
    if getattr(tasks, "dataset", None) is None:
        return None
    return training_data(tasks, as_dataset(read_answers(folder)[0]))


if __name__ == "__main__":
    sys.exit("python -P -m tests.benchmarks recipe_times --data FOLDER")
