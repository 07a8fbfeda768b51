"""The meta-test: how well adapted models answer on tasks that meta-training did not see. Changes no parameter."""

import math
from collections.abc import Callable, Iterator

import msgspec
import torch
from torch import Tensor

from models.algorithms.batched import adapt_batch, predict_batch
from models.algorithms.learner import MetaLearner
from models.build import build_learner
from models.episode import MetaBatch, QuerySet, SupportSet
from models.functional import Params, accuracy, cross_entropy, masked_mean, squared_error
from models.spec import LearnerSpec, Signature
from models.tasks.family import TaskFamily

# Episodes drawn at a time, and input numbers adapted and queried at a time: what bounds a meta-test's memory.
DRAW = 50
PASS = 1 << 20

# What a learner that adapts by gradients is also scored at.
INNER_STEPS = (0, 1, 5, 10)

# Half the width of a 95 % interval of a mean, in standard errors.
Z95 = 1.96


def evaluate(
    learner: MetaLearner,
    meta_params: Params,
    family: TaskFamily,
    *,
    episodes: int,
    seed: int,
    device: torch.device | str = "cpu",
    show: Callable[[Params, QuerySet], None] | None = None,
) -> dict[str, float]:
    """Means over held-out `episodes`, each with the half width of its 95 % interval as `<name>_ci95`.

    `loss` is the query's squared error or cross-entropy; classification adds `accuracy`. An algorithm that gives
    a std adds `coverage`, the share of query targets within 2 std (of a normal distribution, 0.954), and `nll`,
    their negative log density, in nats, under a normal distribution of the answer's mean and std.
    The same seed draws the same episodes, whatever the learner. `show` is called with the outputs and the query of
    every piece of them.
    """
    generator = torch.Generator().manual_seed(seed)
    params = {name: value.to(device) for name, value in meta_params.items()}
    parts: list[dict[str, Tensor]] = []
    for start in range(0, episodes, DRAW):
        batch = family.sample(generator, min(DRAW, episodes - start), "test")
        for support, query in _passes(batch, torch.device(device)):
            outputs = predict_batch(learner, params, adapt_batch(learner, params, support), query.inputs)
            parts.append(_scores(outputs, query))
            if show is not None:
                show(outputs, query)
    report: dict[str, float] = {}
    for name in parts[0]:
        scores = torch.cat([part[name] for part in parts]).double()
        report[name] = scores.mean().item()
        spread = scores.std().item() if len(scores) > 1 else 0.0
        report[f"{name}_ci95"] = Z95 * spread / math.sqrt(len(scores))
    return report


def meta_test(
    spec: LearnerSpec,
    signature: Signature,
    max_ways: int | None,
    meta_params: Params,
    family: TaskFamily,
    *,
    episodes: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """`evaluate` of a version; where `inner_steps` is adjustable, `step_<n>_<name>` after other numbers too."""

    def score(version: LearnerSpec) -> dict[str, float]:
        learner = build_learner(version, signature, max_ways)
        return evaluate(learner, meta_params, family, episodes=episodes, seed=seed, device=device)

    report = score(spec)
    if "inner_steps" in spec.algorithm.adjustable:
        for steps in INNER_STEPS:
            algorithm = msgspec.structs.replace(spec.algorithm, inner_steps=steps)
            scores = score(msgspec.structs.replace(spec, algorithm=algorithm))
            report |= {f"step_{steps}_{name}": value for name, value in scores.items()}
    return report


def _passes(batch: MetaBatch, device: torch.device) -> Iterator[MetaBatch]:
    """The batch in pieces of at most `PASS` input numbers, one episode at least, on the device."""
    numbers = batch.support.inputs[0].numel() + batch.query.inputs[0].numel()
    size = max(1, PASS // numbers)
    for start in range(0, len(batch.support.inputs), size):
        piece = slice(start, start + size)
        yield MetaBatch(
            SupportSet(*(tensor[piece].to(device) for tensor in batch.support)),
            QuerySet(*(tensor[piece].to(device) for tensor in batch.query)),
        )


def _scores(outputs: Params, query: QuerySet) -> dict[str, Tensor]:
    """Each episode's scores [M], from outputs and query of M episodes."""
    if "logits" in outputs:
        graded = (outputs["logits"], query.targets, query.mask)
        return {"loss": torch.vmap(cross_entropy)(*graded), "accuracy": torch.vmap(accuracy)(*graded)}
    scores = {"loss": torch.vmap(squared_error)(outputs["mean"], query.targets, query.mask)}
    if "std" in outputs:
        deviations = (query.targets - outputs["mean"]) / outputs["std"]
        inside = (deviations.abs() <= 2).to(deviations.dtype)
        surprise = 0.5 * (math.log(2 * math.pi) + deviations.square()) + outputs["std"].log()
        scores["coverage"] = torch.vmap(masked_mean)(inside.mean(-1), query.mask)
        scores["nll"] = torch.vmap(masked_mean)(surprise.mean(-1), query.mask)
    return scores
