"""Requests for the sinusoids of Finn et al. 2017, rendered: what the load of several suites is made of."""

import json
from collections.abc import Sequence

import numpy as np

from tests.benchmarks.contenders import Ours
from tests.benchmarks.load import Answer, LoadProcess, post

MODEL = "sine"
SUPPORT = 10
INNER_STEPS = 5
_QUERY = {"inputs": [[1.5]]}


def train(service: Ours, seed: int) -> None:
    """`sinusoid-maml`, briefly: what it costs to serve does not depend on how good it is."""
    overrides = {"training": {"iterations": 200, "seed": seed}}
    service.client.train(MODEL, recipe="sinusoid-maml", overrides=overrides, alias="champion").wait()


def adaptations(count: int, seed: int) -> list[bytes]:
    """Requests to adapt, each to a sinusoid of its own."""
    return [post("/v1/adaptations", body) for body in adaptation_bodies(count, seed)]


def adaptation_bodies(count: int, seed: int) -> list[bytes]:
    generator = np.random.default_rng(seed)
    bodies = []
    for _ in range(count):
        amplitude, phase = generator.uniform(0.1, 5), generator.uniform(0, np.pi)
        x = generator.uniform(-5, 5, SUPPORT)
        support = {"inputs": x[:, None].tolist(), "targets": (amplitude * np.sin(x - phase)).tolist()}
        body = {"model": MODEL, "support": support, "options": {"inner_steps": INNER_STEPS}}
        bodies.append(json.dumps(body).encode())
    return bodies


def adapt(load: LoadProcess, port: int, requests: Sequence[bytes]) -> list[str]:
    """Have each adapted once; their ids, in the order of the requests. Raises RuntimeError where one is refused."""
    return [json.loads(answer.body)["id"] for answer in in_order(load.ask(port, requests, clients=8), 201)]


def in_order(answers: Sequence[Answer], status: int) -> list[Answer]:
    """In the order of the requests. Raises RuntimeError where one has another status."""
    for answer in answers:
        if answer.status != status:
            raise RuntimeError(f"{answer.status} where {status} was due: {answer.body[:400]!r}")
    return sorted(answers)


def predictions(adaptations: Sequence[str]) -> list[bytes]:
    """Requests to query each adaptation at one point."""
    body = json.dumps(_QUERY).encode()
    return [post(f"/v1/adaptations/{name}/predictions", body) for name in adaptations]
