"""Adaptations and predictions over HTTP: ours beside the plain service and a bare endpoint, in one run.

The contenders take turns, round by round, so that what else the machine does falls on all of them; a ratio is of
two figures of one round, and the median of the rounds is told. The load comes from a process of its own.
"""

import json
import statistics
from collections import Counter
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.benchmarks import floors, sinusoids
from tests.benchmarks.contenders import Ours, beside, ours
from tests.benchmarks.engine_counts import PLANS, between, counts_of, mix
from tests.benchmarks.figures import Figure, Report, number, ratio, spread
from tests.benchmarks.load import LoadProcess
from tests.benchmarks.options import Options
from tests.benchmarks.process_tree import written_bytes
from tests.benchmarks.progress import say
from tests.benchmarks.warmth import warm

MODELS = 1000
MANY = 64
CONTENDERS = ("ours", "bare", "plain")


class Work(NamedTuple):
    """What is asked in one turn: requests by contender, from so many clients, each to be answered with `status`."""

    name: str
    program: str
    clients: int
    status: int
    requests: dict[str, list[bytes]]


class Samples:
    """What every turn came to: for each work and contender the rate (/s), p50 and p99 (ms), round by round."""

    def __init__(self) -> None:
        self.series: dict[str, dict[str, dict[str, list[float]]]] = {}
        self.wrong = 0
        self.answers: Counter[str] = Counter()
        self.written = 0

    def of(self, work: str, contender: str, what: str) -> list[float]:
        return self.series[work][contender][what]

    def take(self, work: Work, contender: str, load: LoadProcess, port: int, seconds: float) -> None:
        result = load.run(port, work.requests[contender], clients=work.clients, seconds=seconds)
        kept = self.series.setdefault(work.name, {}).setdefault(contender, {"rate": [], "p50": [], "p99": []})
        kept["rate"].append(result.rate)
        kept["p50"].append(result.percentile(50))
        kept["p99"].append(result.percentile(99))
        self.answers[f"{contender} {work.program}"] += result.statuses[work.status]
        self.wrong += result.statuses.total() - result.statuses[work.status]


def measure(options: Options) -> Report:
    with TemporaryDirectory() as scratch, closing(LoadProcess()) as load:
        folder = Path(scratch)
        with ours(folder / "data", options.compiled or folder / "compiled") as service:
            sinusoids.train(service, options.seed)
            artifact = folder / "artifact"
            artifact.write_bytes(service.artifact(sinusoids.MODEL))
            with (
                beside("tests.benchmarks.bare") as bare,
                beside("tests.benchmarks.plain", str(artifact)) as plain,
            ):
                ports = {"ours": service.port, "bare": bare, "plain": plain}
                return _beside_each_other(options, service, ports, load, artifact.read_bytes(), folder)


def _beside_each_other(
    options: Options, service: Ours, ports: dict[str, int], load: LoadProcess, artifact: bytes, folder: Path
) -> Report:
    adapts = sinusoids.adaptations(MODELS, options.seed)
    made = {name: sinusoids.adapt(load, port, adapts) for name, port in ports.items() if name != "bare"}
    predicts = {name: sinusoids.predictions(ids) for name, ids in made.items()}
    predicts["bare"] = predicts["ours"]
    apart = _apart(load, ports, predicts)

    settled = {
        "adapt": warm(service, load, adapts, "adapt", patience_seconds=options.patience / 2),
        "predict": warm(service, load, predicts["ours"], "predict", patience_seconds=options.patience / 2),
    }
    everywhere = dict.fromkeys(CONTENDERS, adapts)
    works = [
        Work("adapt, 64 clients", "adapt", MANY, 201, everywhere),
        Work("predict, 64 clients", "predict", MANY, 200, predicts),
        Work("adapt, 1 client", "adapt", 1, 201, everywhere),
        Work("predict, 1 client", "predict", 1, 200, predicts),
    ]
    samples, plans = Samples(), dict[str, str]()
    for work in works:
        before = counts_of(service.metrics())
        api = service.pids["api"]
        written = written_bytes(api)
        for turn in range(options.rounds):
            for name in CONTENDERS:
                samples.take(work, name, load, ports[name], options.seconds)
            rates = ", ".join(
                f"{name} {number(samples.of(work.name, name, 'rate')[-1])}/s" for name in CONTENDERS
            )
            say(f"{work.name}, round {turn + 1} of {options.rounds}: {rates}")
        if work.program == "adapt":
            samples.written += written_bytes(api) - written
        plans[work.name] = mix(
            between(before, counts_of(service.metrics()), PLANS, "plan", program=work.program)
        )

    beside_adapt = _floor(samples, artifact, folder)
    return Report(
        suite="serving",
        title="Serving, beside a plain service and a bare endpoint",
        how=(
            "Over HTTP on one machine, load included. *plain* copies the network and runs SGD for each request in "
            "a thread pool and keeps what comes of it in a dictionary; *bare* validates the same body and answers "
            "at once. Model: `sinusoid-maml`, 10 examples, 5 inner steps; predictions go over "
            f"{MODELS:,} different adapted models. Every adaptation of ours is on disk before it is answered."
        ),
        seed=options.seed,
        scale={"rounds": options.rounds, "seconds a turn": options.seconds},
        figures=_figures(samples, plans, beside_adapt, apart),
        series={"works": samples.series, "plans": plans, "settled": settled},
    )


def _figures(samples: Samples, plans: dict[str, str], beside_adapt: str, apart: float) -> list[Figure]:
    adapt, predict, adapt_one, predict_one = samples.series

    def median(work: str, what: str, unit: str, label: str, beside: str) -> Figure:
        rounds = samples.of(work, "ours", what)
        beside = "; ".join(part for part in (beside, spread(rounds)) if part)
        return Figure(what=label, value=statistics.median(rounds), unit=unit, beside=beside)

    def against(work: str, other: str, what: str, label: str, **gate: Any) -> Figure:
        theirs = samples.of(work, other, what)
        unit = "/s" if what == "rate" else " ms"
        beside = f"{other} {number(statistics.median(theirs))}{unit}"
        return ratio(label, samples.of(work, "ours", what), theirs, beside=beside, **gate)

    return [
        median(
            adapt, "rate", "/s", "adaptations, 64 clients, durable", f"plans: {plans[adapt]}; {beside_adapt}"
        ),
        against(adapt, "plain", "rate", "adaptations against plain", at_least=8.0),
        against(adapt, "bare", "rate", "adaptations against bare", at_least=0.4, aim=0.6),
        median(
            predict, "rate", "/s", f"predictions, {MODELS:,} models, 64 clients", f"plans: {plans[predict]}"
        ),
        against(predict, "bare", "rate", "predictions against bare", at_least=0.5, aim=0.7),
        against(predict, "bare", "p99", "predictions, p99 against bare's", at_most=1.5),
        against(predict, "plain", "rate", "predictions against plain"),
        median(adapt_one, "p50", " ms", "one client, adapt, p50", f"plans: {plans[adapt_one]}"),
        against(adapt_one, "bare", "p50", "one client, adapt, p50 against bare's", at_most=8.0),
        median(predict_one, "p50", " ms", "one client, predict, p50", f"plans: {plans[predict_one]}"),
        against(predict_one, "bare", "p50", "one client, predict, p50 against bare's", at_most=4.0),
        Figure(what="answers other than 201 and 200", value=samples.wrong, at_most=0),
        Figure(
            what="largest difference from plain's predictions",
            value=apart,
            at_most=1e-4,
            beside=f"of {MODELS:,} adapted models, relative where they are larger than 1",
        ),
    ]


def _apart(load: LoadProcess, ports: dict[str, int], requests: dict[str, list[bytes]]) -> float:
    """How far our answers are from the plain service's: both adapted the same weights to the same examples."""

    def values(name: str) -> list[float]:
        answers = sinusoids.in_order(load.ask(ports[name], requests[name], clients=8), 200)
        return [json.loads(answer.body)["predictions"][0]["value"] for answer in answers]

    pairs = zip(values("ours"), values("plain"), strict=True)
    return max(abs(one - other) / max(1.0, abs(other)) for one, other in pairs)


def _floor(samples: Samples, artifact: bytes, folder: Path) -> str:
    """What adaptations a second the disk and one core's matrix products would allow, and how near ours is."""
    best = statistics.median(samples.of("adapt, 64 clients", "ours", "rate"))
    options = {"inner_steps": sinusoids.INNER_STEPS}
    operations = floors.adapt_operations(artifact, sinusoids.SUPPORT, options)
    by_products = floors.matmul_rate() / operations
    told = [f"{best / by_products:.1%} of the {number(by_products)}/s of one core's matrix products"]
    made = samples.answers["ours adapt"]
    if samples.written and made:
        each = samples.written / made
        by_disk = floors.write_rate(folder) / each
        told.append(
            f"{best / by_disk:.1%} of the {number(by_disk)}/s of the disk at {number(each)} bytes written each"
        )
    return "; ".join(told)
