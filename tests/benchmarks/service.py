"""The service's own figures: what a newcomer sees, and whether the models answer as they should.

Measured over HTTP on a fresh `innerloop serve`, with the SDK and one client.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np

from app.cli.child_server import ChildServer, choose_port
from innerloop import Client
from tests.benchmarks.figures import TIMES, Figure, Report
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

CALLS = 400
TASKS = 600


def measure(options: Options) -> Report:
    with TemporaryDirectory() as folder:
        server = ChildServer(Path(folder) / "data", choose_port(0), Path(folder) / "serve.log")
        server.start()
        try:
            ready = server.wait_ready()
            figures = [at_most("`innerloop serve`: from the command to `/readyz` 200", ready, 8, " s")]
            with Client(server.url) as client:
                say("the starter")
                figures += starter(client, options.seed)
                say("one client")
                figures += latencies(client, server.url)
                say("the sinusoids")
                figures += sinusoids(client, options.seed)
        finally:
            server.stop()
    return Report(
        suite="service",
        title="The service, as a newcomer meets it",
        how="Over HTTP on a fresh `innerloop serve`; one client, JSON, nothing compiled yet.",
        seed=options.seed,
        scale={"calls": CALLS, "tasks": TASKS},
        figures=figures,
    )


def at_most(what: str, value: float, gate: float, unit: str = "", beside: str = "") -> Figure:
    return Figure(what=what, value=float(value), unit=unit, at_most=gate, beside=beside)


def train(client: Client, model: str, recipe: str, seed: int) -> float:
    """Train a recipe through a job and give the seconds from its submission to its end."""
    began = time.monotonic()
    job = client.train(model, recipe=recipe, overrides={"training": {"seed": seed}}, alias="champion")
    job.wait()
    return time.monotonic() - began


def starter(client: Client, seed: int) -> list[Figure]:
    """The four-point example, and lines that nobody chose."""
    seconds = train(client, "functions", "functions", seed)
    answers = client.adapt("functions", [1, 2, 3, 4], [2, 4, 6, 8]).predict([5, 6])
    errors = np.abs(np.array(answers.values) - [10, 12])
    in_stds = float((errors / np.array(answers.stds)).max())
    generator = np.random.default_rng(seed)
    line_errors = []
    for _ in range(200):
        slope, offset = generator.uniform(-3, 3), generator.uniform(-5, 5)
        x, query = generator.uniform(-8, 8, 8), generator.uniform(-8, 8, 10)
        values = client.adapt_and_predict("functions", x, slope * x + offset, query).values
        line_errors.append(np.abs(np.array(values) - (slope * query + offset)).mean())
    return [
        at_most("`functions`: job from submission to version", seconds, 90, " s"),
        at_most("four points: error at 5", errors[0], 0.3),
        at_most("four points: error at 6", errors[1], 0.3),
        at_most("four points: the truth lies within", in_stds, 2, " std"),
        at_most("200 lines, 8 points each: mean absolute error", float(np.mean(line_errors)), 0.3),
    ]


def sinusoids(client: Client, seed: int) -> list[Figure]:
    """Both sinusoid recipes on fresh tasks of Finn et al. 2017, 10 shots, 50 queries each."""
    maml_seconds = train(client, "maml", "sinusoid-maml", seed)
    ridge_seconds = train(client, "ridge", "sinusoid-ridge", seed)

    def error(model: str, options: dict[str, int]) -> float:
        generator = np.random.default_rng(seed + 1)
        errors = []
        for _ in range(TASKS):
            amplitude, phase = generator.uniform(0.1, 5), generator.uniform(0, np.pi)
            x, query = generator.uniform(-5, 5, 10), generator.uniform(-5, 5, 50)
            y, truth = (amplitude * np.sin(at - phase) for at in (x, query))
            values = client.adapt_and_predict(model, x, y, query, options=options).values
            errors.append(np.square(np.array(values) - truth).mean())
        return float(np.mean(errors))

    return [
        at_most(
            f"`sinusoid-maml`, 1 step: squared error, {TASKS} tasks", error("maml", {"inner_steps": 1}), 0.5
        ),
        at_most("`sinusoid-maml`, 10 steps", error("maml", {"inner_steps": 10}), 0.2),
        Figure(what="`sinusoid-maml`: job of 10,000 iterations", value=maml_seconds, unit=" s"),
        at_most("`sinusoid-ridge`: squared error", error("ridge", {}), 0.005),
        at_most("`sinusoid-ridge`: job from submission to version", ridge_seconds, 60, " s"),
    ]


def latencies(client: Client, url: str) -> list[Figure]:
    """One client, one connection, JSON, the engine warm."""
    support = {"inputs": [1, 2, 3, 4], "targets": [2, 4, 6, 8]}
    made = client.adapt("functions", support["inputs"], support["targets"])
    with httpx.Client(base_url=url) as http:

        def adapt() -> int:
            return http.post("/v1/adaptations", json={"model": "functions", "support": support}).status_code

        def predict() -> int:
            return http.post(f"/v1/adaptations/{made.id}/predictions", json={"inputs": [5, 6]}).status_code

        def ask() -> int:
            return http.get("/livez").status_code

        floor = statistics.median(milliseconds(ask, 200))
        figures = []
        for name, call, status, gate in (("adapt", adapt, 201, 15.0), ("predict", predict, 200, 5.0)):
            times = milliseconds(call, status)
            middle, late = statistics.median(times), float(np.percentile(times, 99))
            beside = f"p99 {late:.4g} ms; {middle / floor:.1f}{TIMES} `/livez` by the same client"
            figures.append(at_most(f"one {name} call on `functions`, p50", middle, gate, " ms", beside))
        figures.append(Figure(what="`/livez` beside them, p50", value=floor, unit=" ms"))
    return figures


def milliseconds(call: Callable[[], int], status: int) -> list[float]:
    """What each of so many calls took, after some that do not count."""
    times = []
    for number in range(50 + CALLS):
        began = time.perf_counter()
        answered = call()
        times.append((time.perf_counter() - began) * 1000)
        if answered != status:
            raise RuntimeError(f"call {number} answered {answered}")
    return times[50:]
