"""Whether an answer depends on who else asks: mixed requests batched at random against the same one by one.

Over HTTP and through every process, by whatever plans the engine comes to: first each alone, then all of them from
many clients in another order, so that the engine batches them as they happen to meet.
"""

import json
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.benchmarks.contenders import Ours, ours
from tests.benchmarks.distance import distance
from tests.benchmarks.engine_counts import CALLS, PASSES, PLANS, Counts, between, counts_of, mix
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.load import LoadProcess
from tests.benchmarks.mixture import Mixture, commonest, upload
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

CLIENTS = 128
ADAPTED = 300
GATE = 1e-5
_BURST_SECONDS = 5.0
_MOSTLY = 0.8
_BUSY_KINDS = 3
_OK = (200, 201)


def measure(options: Options) -> Report:
    with TemporaryDirectory() as scratch, closing(LoadProcess()) as load:
        folder = Path(scratch)
        with ours(folder / "data", options.compiled or folder / "compiled") as service:
            upload(service.client)
            return _compared(options, service, load)


def _compared(options: Options, service: Ours, load: LoadProcess) -> Report:
    mixture = Mixture(options.seed)
    drawn = [mixture.adaptation() for _ in range(ADAPTED)]
    made = _answers(load, service, [request for _, request in drawn], clients=8)
    adapted = [(model, answer["id"]) for (model, _), answer in zip(drawn, made, strict=True) if answer]
    requests = mixture.draw(options.requests, adapted)

    looks = [counts_of(service.metrics())]
    alone = _answers(load, service, requests, clients=1)
    looks.append(counts_of(service.metrics()))
    say(f"one by one: {_passes(*looks)}")
    distances: list[float] = []
    unanswered, told = 0, [f"one by one {_passes(*looks)}"]
    for name, patience in (("batched", 0.0), ("again, with compiled programs", options.patience)):
        order = mixture.shuffled(requests)
        _keep_busy(load, service, commonest(requests, _BUSY_KINDS), patience)
        looks.append(counts_of(service.metrics()))
        together = _answers_in(order, load, service, requests)
        looks.append(counts_of(service.metrics()))
        told.append(f"{name} {_passes(*looks[-2:])}")
        say(told[-1])
        pairs = list(zip(alone, together, strict=True))
        unanswered += sum(one is None or other is None for one, other in pairs)
        distances += [distance(one, other) for one, other in pairs if one and other]
        distances += _adapted_alike(load, service, mixture, pairs)
    finite = [one for one in distances if np.isfinite(one)]
    if not finite:
        raise RuntimeError("nothing was answered twice")
    return Report(
        suite="invariance",
        title="The same answer, alone and in company",
        how=(
            f"{len(requests):,} mixed requests (five models of three algorithms; adapt, predict and both at once; "
            f"several shots, ways and queries), first one by one, then from {CLIENTS} clients in other orders, "
            "before and after programs are compiled. What was adapted is queried too. No two requests are alike."
        ),
        seed=options.seed,
        scale={"requests": len(requests), "clients": CLIENTS},
        figures=[
            Figure(
                what="largest difference, relative to max(1, |x|)",
                value=max(finite),
                at_most=GATE,
                beside="; ".join(told),
            ),
            Figure(what="lost: requests without an answer", value=unanswered, at_most=0),
            Figure(
                what="crossed: answers to something else",
                value=sum(one > 1e-2 for one in distances),
                at_most=0,
                beside=f"of {len(distances):,} pairs",
            ),
            Figure(
                what="pairs that are equal to the last bit",
                value=finite.count(0.0) / len(finite) * 100,
                unit=" %",
            ),
        ],
        series={"distances": finite, "gate": GATE},
    )


def _keep_busy(load: LoadProcess, service: Ours, requests: Sequence[bytes], patience: float) -> None:
    """Ask these until most of their passes are compiled, or as long as there is patience."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        before = counts_of(service.metrics())
        load.run(service.port, requests, clients=CLIENTS, seconds=_BURST_SECONDS)
        plans = between(before, counts_of(service.metrics()), PLANS, "plan")
        if plans.get("compiled", 0.0) >= _MOSTLY * sum(plans.values()):
            return


def _answers_in(
    order: Sequence[int], load: LoadProcess, service: Ours, requests: Sequence[bytes]
) -> list[Any]:
    """The answers in the order of the requests, which are asked in another, by many clients."""
    answers: list[Any] = [None] * len(requests)
    shuffled = _answers(load, service, [requests[place] for place in order], clients=CLIENTS)
    for place, answer in zip(order, shuffled, strict=True):
        answers[place] = answer
    return answers


def _adapted_alike(
    load: LoadProcess, service: Ours, mixture: Mixture, pairs: Sequence[tuple[Any, Any]]
) -> list[float]:
    """Distances between the predictions of what was adapted alone and of what was adapted in company."""
    first, second = [], []
    for one, other in pairs:
        if one and other and one["object"] == "adaptation":
            query = mixture.prediction(one["model"]["name"], one["id"])
            first.append(query)
            second.append(query.replace(one["id"].encode(), other["id"].encode()))
    answers = (_answers(load, service, asked, clients=8) for asked in (first, second))
    return [distance(one, other) for one, other in zip(*answers, strict=True)]


def _answers(load: LoadProcess, service: Ours, requests: Sequence[bytes], clients: int) -> list[Any]:
    """The decoded answer of each request in their order; None where it was refused or never came."""
    answers: list[Any] = [None] * len(requests)
    for answer in load.ask(service.port, requests, clients=clients):
        if answer.status in _OK:
            answers[answer.number] = json.loads(answer.body)
    return answers


def _passes(before: Counts, after: Counts) -> str:
    """How many calls shared a pass, and by what plans the passes went."""
    calls = sum(between(before, after, CALLS, "kind").values())
    passes = sum(between(before, after, PASSES, "kind").values())
    return f"{calls / max(1.0, passes):.1f} calls a pass, {mix(between(before, after, PLANS, 'plan'))}"
