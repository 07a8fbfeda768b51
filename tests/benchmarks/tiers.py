"""More adapted models than the engine keeps in memory: throughput as the working set outgrows the host tier.

Several services on copies of one folder, each with a smaller tier, take turns under the same zipf traffic.
"""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.benchmarks import sinusoids
from tests.benchmarks.contenders import Ours, ours
from tests.benchmarks.engine_counts import HITS, between, counts_of, mix
from tests.benchmarks.figures import Figure, Report, number, ratio, spread
from tests.benchmarks.load import LoadProcess
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say
from tests.benchmarks.warmth import warm

MODELS = 4096
NUMBERS = 1761
"""Of one adapted model: the network of `sinusoid-maml` has 1-40-40-1 units."""

TIMES_THE_TIER = (1, 2, 4, 8)
"""How many times the host tier the working set is; 1 is all resident."""

GATED = 4
CLIENTS = 64
_EXPONENT = 1.0
_TRAFFIC = 50_000


def measure(options: Options) -> Report:
    with TemporaryDirectory() as scratch, closing(LoadProcess()) as load, ExitStack() as running:
        folder = Path(scratch)
        compiled = options.compiled or folder / "compiled"
        with ours(folder / "first", compiled) as service:
            sinusoids.train(service, options.seed)
            made = sinusoids.adapt(load, service.port, sinusoids.adaptations(MODELS, options.seed))
        services = {times: _start(running, folder, compiled, times) for times in TIMES_THE_TIER}
        requests = zipf(sinusoids.predictions(made), _TRAFFIC, options.seed)
        plans = {
            times: warm(
                service,
                load,
                requests,
                "predict",
                patience_seconds=options.patience / len(services),
                clients=(CLIENTS,),
            )[CLIENTS]
            for times, service in services.items()
        }
        # Each has seen every model once, as far as its tier reaches.
        for service in services.values():
            load.ask(service.port, sinusoids.predictions(made), clients=CLIENTS)
        return _turns(options, load, services, requests, plans)


def _start(running: ExitStack, folder: Path, compiled: Path, times: int) -> Ours:
    data = folder / f"tier-{times}"
    shutil.copytree(folder / "first", data, symlinks=True, ignore=shutil.ignore_patterns("*.sock", "serve.*"))
    # All resident is with room to spare.
    size = MODELS * NUMBERS * 4 // times if times > 1 else 2 * MODELS * NUMBERS * 4
    return running.enter_context(ours(data, compiled, engine_host_bytes=str(size)))


def zipf(requests: Sequence[bytes], count: int, seed: int) -> list[bytes]:
    """`count` of them, the one of rank r as often as 1/r; ranks are dealt at random."""
    generator = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(requests) + 1) ** _EXPONENT
    ranked = generator.permutation(len(requests))
    return [
        requests[ranked[rank]] for rank in generator.choice(len(requests), count, p=weights / weights.sum())
    ]


def _turns(
    options: Options,
    load: LoadProcess,
    services: dict[int, Ours],
    requests: Sequence[bytes],
    plans: dict[int, str],
) -> Report:
    rates: dict[int, list[float]] = {times: [] for times in services}
    late: dict[int, list[float]] = {times: [] for times in services}
    before = {times: counts_of(service.metrics()) for times, service in services.items()}
    wrong = 0
    for turn in range(options.rounds):
        # Each turn begins elsewhere in the traffic, so that no tier is warm for just what comes.
        start = turn * len(requests) // options.rounds
        traffic = [*requests[start:], *requests[:start]]
        for times, service in services.items():
            result = load.run(service.port, traffic, clients=CLIENTS, seconds=options.seconds)
            rates[times].append(result.rate)
            late[times].append(result.percentile(99))
            wrong += result.statuses.total() - result.statuses[200]
        say(
            f"round {turn + 1}: "
            + ", ".join(f"{times}x {number(rate[-1])}/s" for times, rate in rates.items())
        )
    hits = {
        times: between(before[times], counts_of(service.metrics()), HITS, "tier")
        for times, service in services.items()
    }
    figures = [
        Figure(
            what="predictions, all resident",
            value=float(np.median(rates[1])),
            unit="/s",
            beside=f"plans: {plans[1]}; {spread(rates[1])}",
        )
    ]
    for times in TIMES_THE_TIER[1:]:
        beside = (
            f"hits: {mix(hits[times])}; p99 {number(float(np.median(late[times])))} ms; plans: {plans[times]}"
        )
        gate = 0.5 if times == GATED else None
        what = f"working set {times} times the host tier, against all resident"
        figures.append(ratio(what, rates[times], rates[1], at_least=gate, beside=beside))
    figures.append(Figure(what="answers other than 200", value=wrong, at_most=0))
    return Report(
        suite="tiers",
        title="More adapted models than memory holds",
        how=(
            f"{MODELS:,} adapted models of `sinusoid-maml` ({4 * NUMBERS:,} bytes each) under zipf traffic of "
            f"{CLIENTS} clients; what the host tier has let go of is read from the database again."
        ),
        seed=options.seed,
        scale={"rounds": options.rounds, "seconds a turn": options.seconds},
        figures=figures,
        series={
            "times_the_tier": list(TIMES_THE_TIER),
            "rates": [rates[times] for times in TIMES_THE_TIER],
            "hits": [hits[times] for times in TIMES_THE_TIER],
            "gated": GATED,
        },
    )
