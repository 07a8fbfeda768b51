"""A call of the Open Inference Protocol as plain HTTP: its tensors, its frame, its outputs."""

import json
from typing import Any

import httpx
import numpy as np

from innerloop.schemas.inference import InferResponse

LENGTH = "Inference-Header-Content-Length"
VALUES = np.float32([[5], [6]])


def tensor(array: np.ndarray = VALUES, datatype: str = "FP32", **changes: Any) -> dict[str, Any]:
    return {
        "name": "inputs",
        "datatype": datatype,
        "shape": list(array.shape),
        "data": array.ravel().tolist(),
        **changes,
    }


def behind(data: bytes, shape: list[int], datatype: str = "FP32") -> dict[str, Any]:
    parameters = {"binary_data_size": len(data)}
    return {"name": "inputs", "datatype": datatype, "shape": shape, "parameters": parameters}


def infer(
    http: httpx.Client, adaptation: str, document: Any, data: bytes = b"", **headers: str
) -> httpx.Response:
    head = json.dumps(document).encode()
    framed = {LENGTH: str(len(head))} if data else {}
    return http.post(f"/v2/models/{adaptation}/infer", content=head + data, headers={**framed, **headers})


def outputs_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    InferResponse.model_validate_json(answer.content)
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}
