"""Half cheetahs that are not told their goal: a recipe's return after each gradient step. Knows no goal by name.

Trains the recipe as it is, or for fewer iterations, tests it by the reference's protocol, and times the collecting
of trajectories beside the same loop over cheetahs that Gymnasium steps one by one. The training's state is kept in
a folder from iteration to iteration, and a run that was ended goes on from there.
"""

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Generator

from models.build import build_environments, build_policy_learner
from models.spec import CheetahSpec, signature_of
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.config import MetaTrainingConfig
from models.training.policies.collect import collect
from models.training.policies.evaluation import STEPS, evaluate_policy
from models.training.policies.trainer import PolicyTrainer
from tests.benchmarks import few_shot
from tests.benchmarks.figures import Figure, Report, ratio, spread
from tests.benchmarks.gymnasium_cheetah import GymnasiumCheetah
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

TASKS = 40
TEST_SEED = 1
TIMED_STEPS = 50  # of a trajectory, where collecting is timed


class Goal(NamedTuple):
    """What is not told, and the returns beside it.

    Those of Finn et al. 2017 after 0 to 3 steps with their intervals, from the authors' files, and that of a policy
    that knows the goal.
    """

    suite: str
    recipe: str
    title: str
    paper: tuple[float, ...]
    paper_ci95: tuple[float, ...]
    paper_iterations: int
    oracle: float


class Trained(NamedTuple):
    """What came of the recipe; its state is in the folder."""

    trainer: PolicyTrainer
    curve: list[dict[str, float]]  # an iteration each, with the CPU seconds since the first


def measure(goal: Goal, options: Options) -> Report:
    config = few_shot.with_training(few_shot.config_of(goal.recipe, {}), seed=options.seed)
    if options.iterations is not None:
        config = few_shot.with_training(config, iterations=options.iterations)
    with TemporaryDirectory() as scratch:
        trained = train(goal, config, options.weights or Path(scratch))
    return report_of(goal, config, trained, options)


def report_of(
    goal: Goal, config: MetaTrainingConfig, trained: Trained, options: Options, tasks: int = TASKS
) -> Report:
    """The held-out tasks' figures, and how quickly trajectories are collected."""
    trainer, curve = trained
    scores = evaluate_policy(
        trainer.learner, trainer.meta_params, trainer.family, tasks=tasks, seed=TEST_SEED
    )
    say(f"tested: {_told(scores)}")
    rates = steps_a_second(config, trainer, options.rounds)
    whole = few_shot.config_of(goal.recipe, {}).training.iterations
    done = f"{trainer.iteration} of {whole} iterations"
    published = [
        f"MAML {value:.1f} ± {ci95}" for value, ci95 in zip(goal.paper, goal.paper_ci95, strict=True)
    ]
    figures = [
        Figure(
            what=f"after {done}, step {step}",
            value=scores[f"return_step_{step}"],
            beside=f"± {scores[f'return_step_{step}_ci95']:.1f}; {published[step]}",
        )
        for step in range(STEPS + 1)
    ]
    seconds = curve[-1]["cpu_seconds"]
    figures += [
        Figure(
            what=f"training, {done}",
            value=seconds / 60,
            unit=" CPU-minutes",
            beside=f"{seconds / len(curve):.1f} s an iteration",
        ),
        Figure(
            what="environment steps collected in a second of CPU time, policy included",
            value=statistics.median(rates["together"]),
            unit="/s",
            beside=spread(rates["together"]),
        ),
        ratio(
            "against the same loop over cheetahs that Gymnasium steps one by one",
            rates["together"],
            rates["one by one"],
            beside=f"{statistics.median(rates['one by one']):,.0f}/s",
        ),
    ]
    inner = ", ".join(map(str, trainer.learner.spec.rates(STEPS)))
    return Report(
        suite=goal.suite,
        title=goal.title,
        how=(
            f"The recipe `{goal.recipe}`, one seed. Mean undiscounted return and its 95 % interval over {tasks} "
            f"held-out tasks after 0 to {STEPS} steps, each from 4000 fresh steps in the environment, at the "
            f"inner rates {inner}. MAML: Finn et al. 2017 after {goal.paper_iterations} iterations; a policy that "
            f"knows the goal: {goal.oracle}. Times are the process's own CPU time, of all its threads."
        ),
        seed=options.seed,
        scale={"iterations": trainer.iteration, "threads": torch.get_num_threads()},
        figures=figures,
        series={"runs": [{"seed": options.seed, "curve": curve, "scores": scores}], "rates": rates},
    )


def train(goal: Goal, config: MetaTrainingConfig, folder: Path) -> Trained:
    """To the end, from what the folder keeps of this seed."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{goal.recipe}-{config.training.seed}.safetensors"
    trainer = _trainer(config)
    curve: list[dict[str, float]] = []
    if kept.exists():
        trainer.restore(decode_checkpoint(kept.read_bytes()))
        notes = msgspec.json.decode(kept.with_suffix(".json").read_bytes())
        # Notes are written first: of an iteration whose state was not, they are of no use.
        curve = notes[: trainer.iteration]
    while not trainer.finished:
        began = process_time()
        metrics = trainer.run(1)
        spent = process_time() - began + (curve[-1]["cpu_seconds"] if curve else 0.0)
        curve.append({"iteration": trainer.iteration, "cpu_seconds": spent, **metrics})
        say(f"{trainer.iteration}/{config.training.iterations}, {spent:.0f} s: {_told(metrics)}")
        _keep(kept.with_suffix(".json"), msgspec.json.encode(curve))
        _keep(kept, encode_checkpoint(trainer.state()))
    return Trained(trainer, curve)


def _keep(path: Path, content: bytes) -> None:
    """Either as it was or whole, whenever the run is ended."""
    beside = path.with_name(f"{path.name}.part")
    beside.write_bytes(content)
    beside.replace(path)


def _trainer(config: MetaTrainingConfig) -> PolicyTrainer:
    assert isinstance(config.tasks, CheetahSpec)
    learner = build_policy_learner(config.learner, signature_of(config.tasks))
    return PolicyTrainer(
        config.training, build_environments(config.tasks), learner, config.tasks.n_trajectories
    )


def steps_a_second(config: MetaTrainingConfig, trainer: PolicyTrainer, rounds: int) -> dict[str, list[float]]:
    """Of CPU time, collecting short trajectories of a meta-batch: stepped together, and one by one, in turns."""
    assert isinstance(config.tasks, CheetahSpec)
    tasks = msgspec.structs.replace(config.tasks, horizon=min(TIMED_STEPS, config.tasks.horizon))
    size, count = config.training.meta_batch_size, trainer.n_trajectories
    params = {name: value.expand(size, *value.shape) for name, value in trainer.meta_params.items()}
    families: dict[str, Any] = {"together": build_environments(tasks), "one by one": GymnasiumCheetah(tasks)}
    goals = trainer.family.sample(Generator().manual_seed(0), size)
    rates: dict[str, list[float]] = {name: [] for name in families}
    for turn in range(rounds + 1):
        for name, family in families.items():
            began = process_time()
            generator = Generator().manual_seed(turn)
            collect(trainer.learner.policy, params, family, goals, count, generator)
            if turn:  # the first makes the copies
                rates[name].append(size * count * tasks.horizon / (process_time() - began))
    return rates


def _told(metrics: dict[str, float]) -> str:
    steps = (metrics.get(f"return_step_{step}") for step in range(STEPS + 1))
    return " / ".join(f"{value:.1f}" for value in steps if value is not None)
