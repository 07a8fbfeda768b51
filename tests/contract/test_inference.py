"""The Open Inference Protocol over plain HTTP: what is described is what is answered."""

from typing import Any

import httpx
import numpy as np
import pytest

from innerloop.schemas.inference import ModelMetadataResponse, ServerMetadataResponse
from tests.contract.adaptations import LINE, POINTS, adapt, predict
from tests.contract.conftest import Service
from tests.contract.inference import LENGTH, infer, outputs_of, tensor
from tests.contract.shapes import check_inference_error


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_describes_itself_with_and_without_a_slash(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    described = ServerMetadataResponse.model_validate_json(answer.content)
    assert (described.name, "binary_tensor_data" in described.extensions) == ("innerloop", True)


def test_health(own_service: Service) -> None:
    with httpx.Client(base_url=own_service.url, timeout=30) as http:
        assert http.get("/v2/health/live").json() == {"live": True}
        answer = http.get("/v2/health/ready")
        assert "no worker" in check_inference_error(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
        own_service.worker_gives_a_sign()
        ready = http.get("/v2/health/ready")
        assert (ready.status_code, ready.json()) == (200, {"ready": True})


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_an_adaptation_is_described_and_ready(http: httpx.Client, line: str, version: str) -> None:
    described = http.get(f"/v2/models/{line}{version}")
    ModelMetadataResponse.model_validate_json(described.content)
    assert described.json() == {
        "name": line,
        "versions": ["1"],
        "platform": "innerloop_safetensors",
        "inputs": [{"name": "inputs", "datatype": "FP32", "shape": [-1, 1]}],
        "outputs": [
            {"name": "value", "datatype": "FP32", "shape": [-1, 1]},
            {"name": "std", "datatype": "FP32", "shape": [-1, 1]},
        ],
    }
    assert http.get(f"/v2/models/{line}{version}/ready").json() == {"name": line, "ready": True}
    answer = http.post(f"/v2/models/{line}{version}/infer", json={"inputs": [tensor()]})
    assert outputs_of(answer).keys() == {"value", "std"}


@pytest.mark.parametrize(
    ("model", "support"),
    [
        ("line", LINE),
        ("steps", LINE),
        ("points", POINTS),
        ("points", {**POINTS, "targets": [7, 7, -2, -2]}),
    ],
)
def test_metadata_promises_what_is_answered_and_v1_says_the_same(
    http: httpx.Client, model: str, support: dict[str, Any]
) -> None:
    made = adapt(http, model=model, support=support)["id"]
    promised = http.get(f"/v2/models/{made}").json()["outputs"]
    queries = np.float32(support["inputs"])[:3].reshape(3, -1)
    answer = infer(http, made, {"inputs": [tensor(queries)]})
    found = outputs_of(answer)
    described = [
        {
            "name": output["name"],
            "datatype": output["datatype"],
            "shape": [-1, *output["shape"][1:]],
        }
        for output in answer.json()["outputs"]
    ]
    assert described == promised
    expected = predict(http, made, queries.tolist())
    if model == "points":
        assert found["label"] == [one["label"] for one in expected]
        flat = [probability for one in expected for probability in one["probabilities"].values()]
        assert found["probabilities"] == pytest.approx(flat, rel=1e-6)
    else:
        assert found["value"] == pytest.approx([one["value"] for one in expected], rel=1e-6)
        stds = [one["std"] for one in expected]
        assert found.get("std", [None] * 3) == (stds if model == "steps" else pytest.approx(stds, rel=1e-6))


def test_a_repeat_with_an_idempotency_key_is_answered_the_same(http: httpx.Client, line: str) -> None:
    document = {"inputs": [tensor()], "parameters": {"binary_data_output": True}}
    first = infer(http, line, document, **{"Idempotency-Key": "once"})
    for accepted in ("identity", "gzip"):
        again = infer(http, line, document, **{"Idempotency-Key": "once", "Accept-Encoding": accepted})
        assert again.headers["idempotent-replayed"] == "true"
        assert (again.content, again.headers[LENGTH]) == (first.content, first.headers[LENGTH])
        assert again.headers.get("content-encoding") == (None if accepted == "identity" else accepted)
    faulty = [infer(http, line, {}, **{"Idempotency-Key": "faulty"}) for _ in range(2)]
    assert check_inference_error(faulty[0], 400) == check_inference_error(faulty[1], 400)
    check_inference_error(infer(http, line, document, **{"Idempotency-Key": "faulty"}), 400)


def test_a_request_id_is_echoed(http: httpx.Client, line: str) -> None:
    for path in ("/v2", f"/v2/models/{line}", "/v2/nope"):
        assert http.get(path, headers={"X-Request-Id": "mine"}).headers["x-request-id"] == "mine"
