"""Adaptations made and queried over HTTP, and bodies in the binary form."""

import json
from typing import Any

import httpx
import numpy as np

from innerloop.schemas.adaptations import AdaptationResponse
from innerloop.schemas.predictions import PredictionsResponse

LINE = {"inputs": [1, 2, 3, 4], "targets": [2, 4, 6, 8]}
POINTS = {"inputs": [[0, 0, 1], [0, 0.1, 1], [1, 1, 0], [1, 0.9, 0]], "targets": ["a", "a", "b", "b"]}


def adapt(http: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/adaptations", json={"model": "line", "support": LINE, **body})
    assert answer.status_code == 201, answer.text
    AdaptationResponse.model_validate_json(answer.content)
    return dict(answer.json())


def predict(http: httpx.Client, adaptation: str, inputs: Any) -> list[dict[str, Any]]:
    answer = http.post(f"/v1/adaptations/{adaptation}/predictions", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    PredictionsResponse.model_validate_json(answer.content)
    return list(answer.json()["predictions"])


def framed(document: dict[str, Any], *arrays: np.ndarray) -> dict[str, Any]:
    """A request in the binary form."""
    head = json.dumps(document).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return {"content": head + b"".join(array.tobytes() for array in arrays), "headers": headers}


def binary(array: np.ndarray, datatype: str) -> dict[str, Any]:
    return {
        "datatype": datatype,
        "shape": list(array.shape),
        "parameters": {"binary_data_size": array.nbytes},
    }
