"""A mixture of requests: several models, kinds of calls, shots, ways and queries, each with numbers of its own.

Because no two are alike, an answer that went to the wrong caller is seen by its numbers.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from innerloop import Client
from tests import small_models
from tests.benchmarks.load import post

CURVES = ("curve-maml", "curve-ridge")
POINTS = ("point-protonet", "point-ridge", "point-maml")
_WAYS, _SHOTS, _QUERIES = (2, 5), (1, 3), (1, 2, 4)
_FEATURES = 3
_LONGEST_RUN = 64


def upload(client: Client) -> None:
    """The models, untrained: what is compared is arithmetic."""
    files = (
        small_models.regression_maml(inner_steps=3),
        small_models.regression_ridge(),
        small_models.points_protonet(),
        small_models.points_ridge(),
        small_models.points_maml(),
    )
    for name, file in zip((*CURVES, *POINTS), files, strict=True):
        client.models.upload(name, file, alias="champion")


class Mixture:
    """Draws requests; equal seeds draw equal ones."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def adaptation(self) -> tuple[str, bytes]:
        """A model's name, and a request to adapt it."""
        model = self._model()
        return model, _post("/v1/adaptations", {"model": model, "support": self._support(model)})

    def prediction(self, model: str, adaptation: str) -> bytes:
        """A request to query an adaptation of a model."""
        return _post(f"/v1/adaptations/{adaptation}/predictions", {"inputs": self._queries(model)})

    def adapted_prediction(self) -> bytes:
        """A request to adapt and query in one call."""
        model = self._model()
        body = {"model": model, "support": self._support(model), "inputs": self._queries(model)}
        return _post("/v1/predictions", body)

    def draw(self, count: int, adapted: Sequence[tuple[str, str]]) -> list[bytes]:
        """A third of each kind, in any order; `adapted` are models and the adaptations that may be queried."""
        requests = []
        for kind in self._generator.integers(0, 3, count):
            if kind == 0:
                requests.append(self.adaptation()[1])
            elif kind == 1:
                requests.append(self.prediction(*adapted[self._generator.integers(len(adapted))]))
            else:
                requests.append(self.adapted_prediction())
        return requests

    def shuffled(self, requests: Sequence[bytes]) -> list[int]:
        """The places of the requests in another order: those of one kind and size in runs of random length.

        So an engine finds many at once that may share a pass, and each time others.
        """
        alike: dict[tuple[str, int], list[int]] = {}
        for place in self._generator.permutation(len(requests)):
            alike.setdefault(_likeness(requests[place]), []).append(int(place))
        runs = []
        for places in alike.values():
            while places:
                length = int(self._generator.integers(1, _LONGEST_RUN + 1))
                runs.append(places[:length])
                del places[:length]
        return [place for run in self._generator.permutation(len(runs)) for place in runs[run]]

    def _model(self) -> str:
        return str(self._generator.choice([*CURVES, *POINTS]))

    def _support(self, model: str) -> dict[str, Any]:
        if model in CURVES:
            inputs = self._generator.uniform(-3, 3, (2 * int(self._generator.choice(_SHOTS)), 1))
            amplitude, phase = self._generator.uniform(0.5, 3), self._generator.uniform(0, np.pi)
            return {"inputs": inputs.tolist(), "targets": (amplitude * np.sin(inputs[:, 0] - phase)).tolist()}
        ways, shots = int(self._generator.choice(_WAYS)), int(self._generator.choice(_SHOTS))
        inputs = self._generator.normal(size=(ways * shots, _FEATURES))
        return {"inputs": inputs.tolist(), "targets": [f"class {slot}" for slot in range(ways)] * shots}

    def _queries(self, model: str) -> list[list[float]]:
        size = (int(self._generator.choice(_QUERIES)), 1 if model in CURVES else _FEATURES)
        queries: list[list[float]] = self._generator.uniform(-3, 3, size).tolist()
        return queries


def commonest(requests: Sequence[bytes], kinds: int) -> list[bytes]:
    """Those that adapt, of the few models and sizes of which there are most: enough to keep their programs busy."""
    alike: dict[tuple[str, int], list[bytes]] = {}
    for request in requests:
        if request.startswith(b"POST /v1/adaptations "):
            alike.setdefault(_likeness(request), []).append(request)
    ordered = sorted(alike.values(), key=len, reverse=True)
    return [request for group in ordered[:kinds] for request in group]


def _likeness(request: bytes) -> tuple[str, int]:
    """What requests that may share a pass have in common: what is asked of which model, and how many numbers."""
    head, _, body = request.partition(b"\r\n\r\n")
    path = head.split(b" ", 2)[1].decode().rsplit("/", 1)[-1]
    document = json.loads(body)
    return f"{path} {document.get('model')}", body.count(b",")


def _post(path: str, body: dict[str, Any]) -> bytes:
    return post(path, json.dumps(body).encode())
