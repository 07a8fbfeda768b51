"""The service's own figures, measured over HTTP on this machine, as a table beside their gates.

    make bench        prints the table and writes it to docs/benchmarks.md

Seeds are fixed by `--seed`. Times are this machine's, and only say something about an idle one.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np

from app.cli.child_server import ChildServer, choose_port
from innerloop import Client

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
CALLS = 400
TASKS = 600


class Figure(NamedTuple):
    """One row: what was measured, what it came to, what it has to be."""

    what: str
    measured: str
    gate: str
    held: bool


def at_most(what: str, value: float, gate: float, unit: str = "") -> Figure:
    return Figure(what, f"{value:.4g}{unit}", f"≤ {gate:g}{unit}", value <= gate)


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
    inside = bool((errors <= 2 * np.array(answers.stds)).all())
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
        Figure("four points: truth within 2 std", str(inside), "True", inside),
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
        Figure("`sinusoid-maml`: job of 10,000 iterations", f"{maml_seconds:.4g} s", "", True),
        at_most("`sinusoid-ridge`: squared error", error("ridge", {}), 0.005),
        at_most("`sinusoid-ridge`: job from submission to version", ridge_seconds, 60, " s"),
    ]


def latencies(url: str) -> list[Figure]:
    """One client, one connection, JSON, the engine warm."""
    support = {"inputs": [1, 2, 3, 4], "targets": [2, 4, 6, 8]}
    with httpx.Client(base_url=url) as http:
        made = http.post("/v1/adaptations", json={"model": "functions", "support": support}).json()

        def adapt() -> int:
            return http.post("/v1/adaptations", json={"model": "functions", "support": support}).status_code

        def predict() -> int:
            return http.post(f"/v1/adaptations/{made['id']}/predictions", json={"inputs": [5, 6]}).status_code

        def ask() -> int:
            return http.get("/livez").status_code

        floor = milliseconds(ask, 200)
        figures = []
        for name, call, status, gate in (("adapt", adapt, 201, 15), ("predict", predict, 200, 5)):
            times = milliseconds(call, status)
            figures += [
                at_most(
                    f"one {name} call on `functions`, p50 of {CALLS}", statistics.median(times), gate, " ms"
                ),
                Figure(f"one {name} call, p99", f"{np.percentile(times, 99):.4g} ms", "", True),
            ]
        figures.append(Figure("`/livez` beside them, p50", f"{statistics.median(floor):.4g} ms", "", True))
    return figures


def milliseconds(call: Callable[[], int], status: int) -> list[float]:
    """What each of so many calls took, after some that do not count."""
    times = []
    for number in range(50 + CALLS):
        began = time.perf_counter()
        answered = call()
        times.append((time.perf_counter() - began) * 1000)
        if answered != status:
            sys.exit(f"call {number} answered {answered}")
    return times[50:]


def page(figures: list[Figure], seed: int) -> str:
    machine = f"{os.cpu_count()} CPU cores ({platform.machine()}), no GPU, Python {platform.python_version()}"
    rows = [
        f"| {one.what} | {one.measured} | {one.gate} | {'yes' if one.held else '**no**'} |" for one in figures
    ]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Measured over HTTP by `make bench`, which rewrites this page.",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {machine}, seed {seed}.",
            "",
            "| what | measured | gate | held |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    with tempfile.TemporaryDirectory() as folder:
        server = ChildServer(Path(folder) / "data", choose_port(8000), Path(folder) / "serve.log")
        server.start()
        try:
            ready = server.wait_ready()
            with Client(server.url) as client:
                figures = [at_most("`innerloop serve`: from the command to `/readyz` 200", ready, 8, " s")]
                figures += starter(client, seed)
                figures += latencies(server.url)
                figures += sinusoids(client, seed)
        finally:
            server.stop()
    written = page(figures, seed)
    print(written)
    PAGE.write_text(written)
    if not all(one.held for one in figures):
        sys.exit("a gate was missed")


if __name__ == "__main__":
    main()
