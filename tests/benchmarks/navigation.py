"""2-D navigation by `rml-mg-navigation`: return before and after each gradient step, by the reference's protocol.

Trains the recipe from several seeds, tests each on 40 goals with 4000 environment steps a gradient step, and times
the collecting of trajectories beside the same loop over Gymnasium's vector API.
"""

import statistics
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from time import perf_counter, process_time
from typing import Any

import msgspec
import torch
from torch import Generator

from models.build import build_environments, build_policy_learner
from models.functional import Params
from models.spec import MamlPolicySpec, NavigationSpec, signature_of
from models.training.config import MetaTrainingConfig
from models.training.policies.collect import collect
from models.training.policies.evaluation import STEPS, evaluate_policy
from models.training.policies.trainer import PolicyTrainer
from models.training.recipes import RECIPES
from tests.benchmarks.figures import Figure, Report, ratio, spread
from tests.benchmarks.gymnasium_navigation import GymnasiumNavigation
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

RECIPE = "rml-mg-navigation"
GOALS = 40
TEST_SEED = 1

QUICK = 100
"""Iterations after which the first gates are."""
QUICK_GATES = {1: -16.0, 3: -12.0}
GATES = {1: -11.7, 3: -3.4}
MINUTES = 20.0

# Returns after 0 to 3 steps of Finn et al. 2017, from the authors' files, and of a policy that knows the goal.
PAPER = (-40.41, -11.68, -3.33, -3.23)
ORACLE = -2.29

_STRIDE = 10


def measure(options: Options) -> Report:
    config = next(recipe.config for recipe in RECIPES if recipe.name == RECIPE)
    seeds = [options.seed + number for number in range(options.seeds)]
    # A core for each of two seeds: a step's kernels are too small to share.
    with ProcessPoolExecutor(2, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        runs = list(pool.map(partial(_run, config, options), seeds))
    rates = _steps_a_second(config, options)
    final = [run["scores"] for run in runs]
    iterations = options.iterations or config.training.iterations
    figures = [
        _figure(f"after {QUICK} iterations, step {step}", [run["quick"] for run in runs], step, gate)
        for step, gate in QUICK_GATES.items()
        if all(run["quick"] for run in runs)
    ]
    figures += [
        _figure(f"after {iterations} iterations, step {step}", final, step, GATES.get(step))
        for step in range(STEPS + 1)
    ]
    minutes = [run["seconds"] / 60 for run in runs]
    cpu = max(run["cpu_seconds"] for run in runs) / 60
    figures += [
        Figure(
            what="the longest training",
            value=max(minutes),
            unit=" min",
            at_most=MINUTES,
            beside="; ".join(filter(None, (f"CPU time {cpu:.1f} min at most", spread(minutes)))),
        ),
        Figure(
            what="environment steps collected, policy included",
            value=statistics.median(rates["ours"]),
            unit="/s",
            beside=spread(rates["ours"]),
        ),
        ratio(
            "against the same loop over Gymnasium's vector API",
            rates["ours"],
            rates["gymnasium"],
            beside=f"{statistics.median(rates['gymnasium']):,.0f}/s",
        ),
    ]
    return Report(
        suite="navigation",
        title="2-D navigation: a policy adapts to an unknown goal",
        how=(
            f"The recipe `{RECIPE}` in one process and one thread a seed, two at a time. Mean undiscounted "
            f"return over {GOALS} held-out goals after 0 to {STEPS} steps, each from 4000 fresh steps in the "
            f"environment, at the recipe's inner rates {', '.join(map(str, rates_of(config)))}. "
            f"Paper: {' / '.join(f'{one:.1f}' for one in PAPER)}; "
            f"a policy that knows the goal: {ORACLE}."
        ),
        seed=options.seed,
        scale={"iterations": iterations, "seeds": options.seeds, "threads": torch.get_num_threads()},
        figures=figures,
        series={"runs": runs, "rates": rates},
    )


def rates_of(config: MetaTrainingConfig) -> tuple[float, ...]:
    """The inner rates of the test's steps."""
    algorithm = config.learner.algorithm
    assert isinstance(algorithm, MamlPolicySpec)
    return algorithm.rates(STEPS)


def _run(config: MetaTrainingConfig, options: Options, seed: int) -> dict[str, Any]:
    """One seed: its learning curve, its scores on the way and at the end, and what it took."""
    iterations = options.iterations or config.training.iterations
    training = msgspec.structs.replace(config.training, iterations=iterations, seed=seed)
    trainer = _trainer(config, training)
    curve: list[dict[str, float]] = []
    quick: dict[str, float] = {}
    seconds = cpu_seconds = 0.0
    while not trainer.finished:
        began, cpu_began = perf_counter(), process_time()
        metrics = trainer.run(_STRIDE - trainer.iteration % _STRIDE)
        seconds += perf_counter() - began
        cpu_seconds += process_time() - cpu_began
        curve.append({"iteration": trainer.iteration, **metrics})
        if trainer.iteration == QUICK:
            quick = _test(trainer)
        if trainer.iteration % QUICK == 0:
            say(f"seed {seed}, iteration {trainer.iteration}: {_told(metrics)}")
    scores = _test(trainer)
    say(f"seed {seed}, tested: {_told(scores)}")
    return {
        "seed": seed,
        "curve": curve,
        "quick": quick,
        "scores": scores,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
    }


def _trainer(config: MetaTrainingConfig, training: Any) -> PolicyTrainer:
    assert isinstance(config.tasks, NavigationSpec)
    learner = build_policy_learner(config.learner, signature_of(config.tasks))
    return PolicyTrainer(training, build_environments(config.tasks), learner, config.tasks.n_trajectories)


def _test(trainer: PolicyTrainer) -> dict[str, float]:
    return evaluate_policy(trainer.learner, trainer.meta_params, trainer.family, tasks=GOALS, seed=TEST_SEED)


def _told(metrics: Params | dict[str, float]) -> str:
    return " / ".join(
        f"{value:.1f}" for name, value in metrics.items() if name[-1:].isdigit() and "ci" not in name
    )


def _figure(what: str, scores: list[dict[str, float]], step: int, gate: float | None) -> Figure:
    """The mean of the seeds' returns after so many steps, beside each."""
    each = [one[f"return_step_{step}"] for one in scores]
    told = ", ".join(f"{one:.2f}" for one in each)
    deviation = f"; sd {statistics.stdev(each):.2f}" if len(each) > 1 else ""
    return Figure(what=what, value=statistics.mean(each), at_least=gate, beside=f"seeds {told}{deviation}")


def _steps_a_second(config: MetaTrainingConfig, options: Options) -> dict[str, list[float]]:
    """Of collecting a meta-batch's trajectories: as one tensor program, and through Gymnasium, round by round."""
    trainer = _trainer(config, config.training)
    size, count = config.training.meta_batch_size, trainer.n_trajectories
    params = {name: value.expand(size, *value.shape) for name, value in trainer.meta_params.items()}
    assert isinstance(config.tasks, NavigationSpec)
    families: dict[str, Any] = {"ours": trainer.family, "gymnasium": GymnasiumNavigation(config.tasks)}
    goals = trainer.family.sample(Generator().manual_seed(0), size)
    rates: dict[str, list[float]] = {name: [] for name in families}
    for turn in range(options.rounds + 1):
        for name, family in families.items():
            began = perf_counter()
            generator = Generator().manual_seed(turn)
            collect(trainer.learner.policy, params, family, goals, count, generator)
            if turn:  # the first makes the copies
                rates[name].append(size * count * family.horizon / (perf_counter() - began))
    return rates
