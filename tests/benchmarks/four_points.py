"""The four-point example by gradient steps: rml-mg-functions beside the same network from scratch and pretrained.

Each is given (1, 2) (2, 4) (3, 6) (4, 8) and takes the same steps on them; it is asked at 5 and 6. Trained here by
the code that a job runs; the meta-test's episodes are the same for every phase.
"""

import statistics
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor

from app.cli.four_points import QUERIES, SUPPORT_X, SUPPORT_Y, TOLERANCE, truth
from models.build import build_learner
from models.episode import SupportSet
from models.functional import Params
from models.spec import LearnerSpec, Signature, signature_of
from models.training.config import MetaTrainingConfig
from models.training.recipes import RECIPES
from services.jobs.meta_training import MetaTraining
from services.jobs.preparation import choose_device, prepare
from services.jobs.settings import WorkerSettings
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

STEPS = 10
SEEDS = 4
# The unadapted start is shown too, and the rate at which the network from scratch does best of these.
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
PHASES = {"before": "from scratch", "after_pretraining": "pretrained", "after_meta_training": "meta-trained"}


class Contender(NamedTuple):
    """Errors at the queries after each number of steps, the rate, and the curve after the last."""

    rate: float
    errors: list[list[float]]
    curve: list[float]


def measure(options: Options) -> Report:
    """Both recipes, from several seeds; raises where a training diverges."""
    choose_device("cpu", 1)
    seeds = range(options.seed, options.seed + SEEDS)
    figures: list[Figure] = []
    series: dict[str, Any] = {"queries": list(QUERIES), "x": GRID, "recipes": {}}
    for name in ("rml-mg-functions", "rml-mg-functions-wide"):
        config = next(recipe.config for recipe in RECIPES if recipe.name == name)
        found = [compare(config, seed, name) for seed in seeds]
        contenders = {what: [one[what] for one, _ in found] for what in PHASES.values()}
        series["recipes"][name] = {
            what: [one._asdict() for one in of_seeds] for what, of_seeds in contenders.items()
        }
        for what, of_seeds in contenders.items():
            figures += [_figure(name, what, of_seeds, place) for place in range(len(QUERIES))]
        losses = {what: statistics.mean(one[what] for _, one in found) for what in PHASES.values()}
        told = "; ".join(f"{what} {loss:.4g}" for what, loss in losses.items())
        figures.append(
            Figure(
                what=f"`{name}`: squared error of the meta-test, mean of seeds",
                value=losses["meta-trained"],
                beside=f"same episodes: {told}",
            )
        )
    return Report(
        suite="four_points",
        title="Four points of a line, by gradient steps",
        how=(
            f"Errors at 5 and 6 after {STEPS} steps on (1, 2) (2, 4) (3, 6) (4, 8), the largest of {SEEDS} seeds. "
            "*From scratch* is the same network before any training and *pretrained* after supervised training "
            "on all tasks together, each at the best for it of the rates "
            f"{', '.join(map(str, RATES))}; *meta-trained* at that of its training."
        ),
        seed=options.seed,
        scale={"steps": STEPS, "seeds": SEEDS},
        figures=figures,
        series=series,
    )


def _figure(name: str, what: str, of_seeds: list[Contender], place: int) -> Figure:
    """The largest error of all seeds at one query, beside each; what was meta-trained is held to the tolerance."""
    errors = [one.errors[STEPS][place] for one in of_seeds]
    rates = sorted({one.rate for one in of_seeds})
    return Figure(
        what=f"`{name}`, {what}: error at {QUERIES[place]:g} after {STEPS} steps, the worst seed",
        value=max(errors),
        at_most=TOLERANCE if what == "meta-trained" else None,
        beside=(
            f"mean {statistics.mean(errors):.3g}; seeds {', '.join(f'{one:.3g}' for one in errors)}; "
            f"inner_lr {', '.join(f'{rate:g}' for rate in rates)}"
        ),
    )


GRID = [i * 0.25 for i in range(-8, 37)]


def compare(
    config: MetaTrainingConfig, seed: int, name: str
) -> tuple[dict[str, Contender], dict[str, float]]:
    """What each phase's network makes of the four points, and its meta-test's squared error."""
    training = msgspec.structs.replace(config.training, seed=seed)
    config = msgspec.structs.replace(config, training=training)
    plain = msgspec.json.decode(msgspec.json.encode(config))
    run = prepare(plain, lambda *_: None, WorkerSettings(worker_device="cpu"))
    assert isinstance(run, MetaTraining)
    while not run.finished:
        run.run(500)
    say(f"{name}, seed {seed}: {training.all_iterations} iterations")
    scores = run.meta_test(lambda: None)
    losses = {what: scores[phase]["loss"] for phase, what in PHASES.items()}
    signature = signature_of(config.tasks)
    params = {**run.phases.earlier(), "after_meta_training": run.phases.meta_params}
    rate = config.learner.algorithm.inner_lr  # type: ignore[union-attr]
    found = {}
    for phase, what in PHASES.items():
        rates = (rate,) if phase == "after_meta_training" else RATES
        tried = [_contender(config.learner, signature, params[phase], one) for one in rates]
        found[what] = min(tried, key=lambda one: max(one.errors[STEPS]))
    return found, losses


def _contender(spec: LearnerSpec, signature: Signature, params: Params, rate: float) -> Contender:
    support = SupportSet(_column(SUPPORT_X), _column(SUPPORT_Y), torch.ones(len(SUPPORT_X)), torch.ones(0))
    errors = []
    curve: list[float] = []
    for steps in range(STEPS + 1):
        algorithm = msgspec.structs.replace(spec.algorithm, inner_steps=steps, inner_lr=rate)
        learner = build_learner(msgspec.structs.replace(spec, algorithm=algorithm), signature)
        adapted = learner.adapt(params, support)
        said = learner.predict(params, adapted, _column(QUERIES))["mean"].flatten().tolist()
        errors.append([abs(one - truth(x)) for one, x in zip(said, QUERIES, strict=True)])
        curve = learner.predict(params, adapted, _column(GRID))["mean"].flatten().tolist()
    return Contender(rate, errors, curve)


def _column(values: Any) -> Tensor:
    return torch.tensor(list(values)).reshape(-1, 1)
