"""The Open Inference Protocol over plain HTTP: what the protocol's own clients never send is answered well too."""

import gzip
import json
import struct
import zlib
from typing import Any

import httpx
import numpy as np
import pytest

from innerloop.schemas.inference import (
    InferResponse,
    ModelMetadataResponse,
    ServerMetadataResponse,
)
from services.adaptation.service import AdaptationService
from services.errors import Unavailable
from tests.contract.conftest import BODY_BYTES, LIMITS, Service
from tests.contract.shapes import check_inference_error, check_problem
from tests.contract.test_adaptations import LINE, POINTS, adapt, predict

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


@pytest.fixture(scope="module")
def line(service: Service) -> str:
    with httpx.Client(base_url=service.url, timeout=30) as http:
        return str(adapt(http)["id"])


@pytest.fixture(scope="module")
def points(service: Service) -> str:
    with httpx.Client(base_url=service.url, timeout=30) as http:
        return str(adapt(http, model="points", support=POINTS)["id"])


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


def test_pictures_are_bytes_numbers_or_files(http: httpx.Client) -> None:
    import io

    from PIL import Image

    pixels = np.zeros((2, 16, 16), np.uint8)
    pixels[1, :, 8:] = 255
    support = {
        "inputs": {"datatype": "UINT8", "shape": [2, 16, 16], "data": pixels.ravel().tolist()},
        "targets": ["dark", "half"],
    }
    made = adapt(http, model="pictures", support=support)["id"]
    assert http.get(f"/v2/models/{made}").json()["inputs"][0]["shape"] == [-1, 16, 16, 1]
    files = []
    for picture in pixels:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        files.append(struct.pack("<I", buffer.tell()) + buffer.getvalue())
    scaled = (pixels / 255).astype(np.float32)[..., None]
    asked = [
        infer(http, made, {"inputs": [behind(pixels.tobytes(), [2, 16, 16], "UINT8")]}, pixels.tobytes()),
        infer(http, made, {"inputs": [tensor(scaled)]}),
        infer(http, made, {"inputs": [behind(b"".join(files), [2], "BYTES")]}, b"".join(files)),
        infer(
            http,
            made,
            {"inputs": [behind(scaled.astype("<f8").tobytes(), [2, 16, 16, 1], "FP64")]},
            scaled.astype("<f8").tobytes(),
        ),
    ]
    answers = [outputs_of(answer) for answer in asked]
    for answer in answers:
        assert answer["label"] == ["dark", "half"]
        assert np.ravel(answer["probabilities"]) == pytest.approx(
            np.ravel(answers[0]["probabilities"]), abs=1e-6
        )


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/plain", "application/xml"])
def test_the_content_type_is_ignored(http: httpx.Client, line: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert outputs_of(infer(http, line, {"inputs": [tensor()]}, **headers))


def test_a_raw_request_is_one_example_and_its_answer_is_binary(http: httpx.Client, points: str) -> None:
    query = np.float32([[1, 1, 0]])
    path = f"/v2/models/{points}/infer"
    answer = http.post(path, content=query.tobytes(), headers={LENGTH: "0"})
    assert answer.status_code == 200, answer.text
    length = int(answer.headers[LENGTH])
    described = json.loads(answer.content[:length])
    assert "id" not in described
    assert [output["shape"] for output in described["outputs"]] == [[1, 2], [1]]
    sizes = [output["parameters"]["binary_data_size"] for output in described["outputs"]]
    assert (sizes, len(answer.content)) == ([8, 5], length + 13)
    assert answer.content[length + 8 :] == b"\x01\0\0\0b"
    assert "not 4" in check_inference_error(http.post(path, content=b"\0" * 4, headers={LENGTH: "0"}), 400)
    unknown = http.post("/v2/models/adp_nope/infer", content=query.tobytes(), headers={LENGTH: "0"})
    check_inference_error(unknown, 404)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_is_read_and_its_header_counts_what_it_was(
    http: httpx.Client, line: str, coding: str
) -> None:
    compress = gzip.compress if coding == "gzip" else zlib.compress
    head = json.dumps({"inputs": [behind(VALUES.tobytes(), [2, 1])]}).encode()
    answer = http.post(
        f"/v2/models/{line}/infer",
        content=compress(head + VALUES.tobytes()),
        headers={"Content-Encoding": coding, LENGTH: str(len(head))},
    )
    assert outputs_of(answer) == outputs_of(infer(http, line, {"inputs": [tensor()]}))


def test_compression_has_its_limits(http: httpx.Client, line: str) -> None:
    path = f"/v2/models/{line}/infer"

    def post(content: bytes, coding: str) -> httpx.Response:
        return http.post(path, content=content, headers={"Content-Encoding": coding})

    bomb = gzip.compress(b" " * (BODY_BYTES + 1))
    assert len(bomb) < 4096
    assert "inflates" in check_inference_error(post(bomb, "gzip"), 413)
    check_inference_error(post(b"{}", "gzip"), 400)
    check_inference_error(post(gzip.compress(b"{}")[:-1], "gzip"), 400)
    check_inference_error(post(b"{}", "br"), 415)
    check_inference_error(post(gzip.compress(b"{}"), "gzip, deflate"), 415)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate, br", None), ("identity", None), ("br", None)],
)
def test_only_answers_of_infer_are_compressed_and_only_for_who_asks(
    http: httpx.Client, line: str, accepted: str, coding: str | None
) -> None:
    document = {"id": "q", "inputs": [tensor()], "parameters": {"binary_data_output": True}}
    plain = infer(http, line, document, **{"Accept-Encoding": "identity"})
    answer = infer(http, line, document, **{"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == coding
    assert answer.content == plain.content
    assert answer.headers[LENGTH] == plain.headers[LENGTH]
    headers = {"Accept-Encoding": accepted}
    for path in ("/v2", f"/v2/models/{line}", "/v2/health/live"):
        assert "content-encoding" not in http.get(path, headers=headers).headers
    check_inference_error(infer(http, line, {}, **headers), 400)


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
