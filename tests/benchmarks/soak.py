"""Minutes of mixed load with an adapt always in flight, and the memory of every process: whether anything grows.

The host tier is small, so that it is full before the first look: what fills by design is no growth.
"""

import json
import statistics
import time
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import small_models
from tests.benchmarks import sinusoids
from tests.benchmarks.contenders import Ours, ours
from tests.benchmarks.figures import Figure, Report, number
from tests.benchmarks.load import LoadProcess, get, post
from tests.benchmarks.options import Options
from tests.benchmarks.process_tree import is_compiling, resident_bytes
from tests.benchmarks.progress import say

HOST_BYTES = 8 << 20
MODELS = 500
CLIENTS = 8
RIDGE = "curve-ridge"
_LOOKS = 300
_EXPECTED = (200, 201, 422)
_WARM_PART = 0.2
_CALM_SECONDS = 20.0

Memory = dict[str, list[float]]
"""Resident bytes of each process, look by look."""


def measure(options: Options) -> Report:
    with TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        adapting, asking = (stack.enter_context(closing(LoadProcess())) for _ in range(2))
        compiled = options.compiled or folder / "compiled"
        service = stack.enter_context(ours(folder / "data", compiled, engine_host_bytes=str(HOST_BYTES)))
        sinusoids.train(service, options.seed)
        service.client.models.upload(RIDGE, small_models.regression_ridge(), alias="champion")
        adapts = sinusoids.adaptations(MODELS, options.seed)
        mixed = mixture(sinusoids.adapt(asking, service.port, adapts))

        _warm_up(service, adapting, asking, adapts, mixed, options)
        seconds = options.minutes * 60
        pids = service.pids
        loads = [
            adapting.begin(service.port, adapts, clients=1, seconds=seconds),
            asking.begin(service.port, mixed, clients=CLIENTS, seconds=seconds),
        ]
        memory = _watch(service, seconds)
        results = [load.result() for load in loads]
        if service.pids != pids:
            raise RuntimeError(f"a process was replaced: {pids} before, {service.pids} after")
        wrong = sum(n for one in results for status, n in one.statuses.items() if status not in _EXPECTED)
        return _report(options, memory, wrong, results[0].rate, results[1].rate)


def mixture(adapted: list[str]) -> list[bytes]:
    """Predictions, adapt and predict at once, looks, lists, and bodies that are refused."""
    support = {"inputs": [[1.0], [2.0], [3.0], [4.0]], "targets": [2.0, 4.0, 6.0, 8.0]}
    at_once = post(
        "/v1/predictions",
        json.dumps({"model": RIDGE, "support": support, "inputs": [[5.0], [6.0]]}).encode(),
    )
    refused = post("/v1/predictions", json.dumps({"model": RIDGE, "support": {}, "inputs": "none"}).encode())
    requests = []
    for place, (name, request) in enumerate(zip(adapted, sinusoids.predictions(adapted), strict=True)):
        requests.append(request)
        if place % 4 == 0:
            requests.append(at_once)
        if place % 10 == 0:
            requests += [get(f"/v1/adaptations/{name}"), refused]
        if place % 50 == 0:
            requests.append(get(f"/v1/adaptations?model={sinusoids.MODEL}&limit=5"))
        if place % 100 == 0:
            requests.append(get("/metrics"))
    return requests


def _warm_up(
    service: Ours,
    adapting: LoadProcess,
    asking: LoadProcess,
    adapts: list[bytes],
    mixed: list[bytes],
    options: Options,
) -> None:
    """The same load, until what is compiled is compiled; at least a part of the time that is measured."""
    began, calm_since = time.monotonic(), time.monotonic()
    least = options.minutes * 60 * _WARM_PART
    while True:
        now = time.monotonic()
        if is_compiling(service.pids["engine"]):
            calm_since = now
        calm = now - calm_since > min(_CALM_SECONDS, least)
        if now - began > least and (calm or now - began > options.patience):
            say(f"warm after {now - began:.0f} s: {_told(service)}")
            return
        loads = [
            adapting.begin(service.port, adapts, clients=1, seconds=5.0),
            asking.begin(service.port, mixed, clients=CLIENTS, seconds=5.0),
        ]
        for load in loads:
            load.result()


def _watch(service: Ours, seconds: float) -> Memory:
    memory: Memory = {name: [] for name in service.pids}
    began = told = time.monotonic()
    while (now := time.monotonic()) - began < seconds:
        for name, pid in service.pids.items():
            memory[name].append(float(resident_bytes(pid)))
        if now - told > 60:
            told = now
            say(f"{(now - began) / 60:.0f} min: {_told(service)}")
        time.sleep(max(0.2, seconds / _LOOKS))
    return memory


def _told(service: Ours) -> str:
    sizes = {name: resident_bytes(pid) / 1e6 for name, pid in service.pids.items()}
    return ", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items())


def growth(looks: list[float]) -> float:
    """In percent: the middle of the last tenth of the looks against the middle of the first."""
    tenth = max(1, len(looks) // 10)
    return (statistics.median(looks[-tenth:]) / statistics.median(looks[:tenth]) - 1) * 100


def _report(options: Options, memory: Memory, wrong: int, adapted: float, asked: float) -> Report:
    figures = [
        Figure(
            what=f"{name}: growth of its memory",
            value=growth(looks),
            unit=" %",
            at_most=2.0,
            beside=f"{looks[0] / 1e6:.1f} MB at first, {looks[-1] / 1e6:.1f} MB at last",
        )
        for name, looks in memory.items()
    ]
    figures.append(
        Figure(
            what="answers that were not due",
            value=wrong,
            at_most=0,
            beside=f"of {number(round((adapted + asked) * options.minutes * 60))}",
        )
    )
    return Report(
        suite="soak",
        title=f"Memory through mixed load of {number(options.minutes)} min",
        how=(
            f"One client adapts without pause ({number(round(adapted))}/s), {CLIENTS} others predict, adapt and "
            f"predict at once, look, list and are refused ({number(round(asked))}/s). Growth is the median of the "
            "last tenth of the looks against the first's, after warming up; the host tier of "
            f"{HOST_BYTES >> 20} MB is full from the beginning."
        ),
        seed=options.seed,
        scale={"minutes": options.minutes},
        figures=figures,
        series={"memory": memory, "minutes": options.minutes},
    )
