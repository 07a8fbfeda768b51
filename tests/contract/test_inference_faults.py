"""What the protocol's own clients never send is answered well too: each error in that protocol's words."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from services.adaptation.service import AdaptationService
from services.errors import Unavailable
from tests.contract.adaptations import adapt
from tests.contract.conftest import BODY_BYTES, LIMITS, Service
from tests.contract.inference import LENGTH, infer, outputs_of, tensor
from tests.contract.shapes import check_inference_error, check_problem


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "/inputs"),
        ({"inputs": []}, "'inputs'"),
        ({"inputs": [tensor(name="x")]}, "'inputs'"),
        ({"inputs": [tensor(), tensor()]}, "exactly one"),
        ({"inputs": [tensor(data=[1])]}, "/inputs/0/data: shape [2, 1] needs 2"),
        ({"inputs": [tensor(datatype="BF16")]}, "/inputs/0/datatype"),
        ({"inputs": [tensor(np.zeros((2, 3), np.float32))]}, "this model takes a number each"),
        ({"inputs": [tensor(np.zeros((0, 1), np.float32))]}, "no examples"),
        ({"inputs": [tensor(np.zeros((LIMITS.query_examples + 1, 1), np.float32))]}, "at most"),
        ({"inputs": [tensor(shape=[0, 2**31 - 1, 2**31 - 1, 2**31 - 1], data=[])]}, "empty tensor"),
        ({"inputs": [tensor()], "outputs": [{"name": "nope"}]}, "no output 'nope'"),
        ({"inputs": [tensor()], "outputs": [{"name": "label"}]}, "no output 'label'"),
        ({"inputs": [tensor(datatype="BYTES", shape=[2], data=["a", "b"])]}, "texts"),
    ],
)
def test_a_bad_request_is_400_and_says_what_and_where(
    http: httpx.Client, line: str, document: Any, words: str
) -> None:
    assert words in check_inference_error(infer(http, line, document), 400)


@pytest.mark.parametrize("body", [b"", b"{", b'{"inputs":[NaN]}', b"[" * 100_000, b"\xff"])
def test_what_is_not_json_is_400(http: httpx.Client, line: str, body: bytes) -> None:
    assert "not JSON" in check_inference_error(http.post(f"/v2/models/{line}/infer", content=body), 400)


@pytest.mark.parametrize("length", ["999", "-1", "x", "", "1e2"])
def test_a_faulty_frame_is_400(http: httpx.Client, line: str, length: str) -> None:
    body = json.dumps({"inputs": [tensor()]}).encode()
    check_inference_error(http.post(f"/v2/models/{line}/infer", content=body, headers={LENGTH: length}), 400)


@pytest.mark.parametrize(
    "path",
    [
        "adp_nope",
        "adp_nope/ready",
        "nope",
        "a%2Fb",
        "stats/ready",
        "{line}/versions/2",
        "{line}/versions/2/ready",
        "{line}/versions/0",
        "{line}/versions/x",
        "{line}/versions/1.0.0",
        "{line}/versions/99999999999999999999",
        "{line}/nope",
    ],
)
def test_what_is_not_there_is_404(http: httpx.Client, line: str, path: str) -> None:
    check_inference_error(http.get(f"/v2/models/{path.format(line=line)}"), 404)


@pytest.mark.parametrize("place", ["adp_nope", "nope", "{line}/versions/2", "{line}/versions/x"])
def test_nobody_infers_where_nothing_is(http: httpx.Client, line: str, place: str) -> None:
    answer = http.post(f"/v2/models/{place.format(line=line)}/infer", json={"inputs": [tensor()]})
    check_inference_error(answer, 404)


def test_a_method_that_a_path_does_not_have_is_405(http: httpx.Client, line: str) -> None:
    answer = http.get(f"/v2/models/{line}/infer")
    check_inference_error(answer, 405)
    assert answer.headers["allow"] == "POST"
    check_inference_error(http.get("/v2/nope"), 404)
    check_problem(http.get("/v2x"), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/models"),
        ("GET", "/v2/models/stats"),
        ("GET", "/v2/models/m/stats"),
        ("GET", "/v2/models/m/versions/1/stats"),
        ("GET", "/v2/models/m/config"),
        ("POST", "/v2/repository/index"),
        ("POST", "/v2/repository/models/m/load"),
        ("POST", "/v2/repository/models/m/unload"),
        ("GET", "/v2/systemsharedmemory/status"),
        ("POST", "/v2/cudasharedmemory/region/r/register"),
        ("POST", "/v2/logging"),
        ("GET", "/v2/trace/setting"),
    ],
)
def test_an_extension_that_is_not_there_is_501(http: httpx.Client, method: str, path: str) -> None:
    check_inference_error(http.request(method, path), 501)


def test_shared_memory_is_501(http: httpx.Client, line: str) -> None:
    given = {
        "name": "inputs",
        "datatype": "FP32",
        "shape": [1, 1],
        "parameters": {"shared_memory_region": "r"},
    }
    assert "shared memory" in check_inference_error(infer(http, line, {"inputs": [given]}), 501)


def test_a_body_beyond_the_limit_is_413(http: httpx.Client, line: str) -> None:
    path = f"/v2/models/{line}/infer"
    check_inference_error(http.post(path, content=b" " * (BODY_BYTES + 1)), 413)
    check_inference_error(http.post(path, content=(b" " * 65536 for _ in range(BODY_BYTES // 8192))), 413)
    assert outputs_of(infer(http, line, {"inputs": [tensor()]}))


def test_an_engine_that_is_away_is_503_with_retry_after(
    own_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("the engine is away", retry_after=1.2)

    own_service.publish_models()
    with httpx.Client(base_url=own_service.url, timeout=30) as http:
        made = adapt(http)["id"]
        for name in ("ping", "predict"):
            monkeypatch.setattr(type(own_service.services.engine), name, away)
        asked = infer(http, made, {"inputs": [tensor()]})
        assert check_inference_error(asked, 503) == "the engine is away"
        assert asked.headers["retry-after"] == "2"
        ready = http.get(f"/v2/models/{made}/ready")
        assert check_inference_error(ready, 503) == "the engine is away"
        assert int(ready.headers["retry-after"]) >= 1
        assert http.get(f"/v2/models/{made}").status_code == 200


def test_a_defect_is_a_500_that_gives_nothing_away(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(AdaptationService, "served", broken)
    answer = http.get("/v2/models/adp_1", headers={"X-Request-Id": "mine"})
    assert "secret" not in check_inference_error(answer, 500)
    assert answer.headers["x-request-id"] == "mine"


def test_the_log_and_the_metrics_have_the_status_that_was_sent(http: httpx.Client, line: str) -> None:
    check_inference_error(infer(http, line, {}), 400)
    route = "/v2/models/{adaptation_id}/infer"
    metrics = http.get("/metrics").text
    assert f'innerloop_http_requests_total{{method="POST",route="{route}",status="400"}}' in metrics
    assert f'route="{route}",status="422"' not in metrics
