"""Bad input gets the right 4xx as a problem, points at the place, and leaves nothing behind."""

import json
from typing import Any

import httpx
import pytest

from tests.contract.adaptations import LINE, POINTS
from tests.contract.shapes import check_list, check_problem

JSON = {"Content-Type": "application/json"}


def post(http: httpx.Client, body: Any, path: str = "/v1/adaptations") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http.post(path, content=content, headers=JSON)


def support(inputs: Any, targets: Any, model: str = "line") -> dict[str, Any]:
    return {"model": model, "support": {"inputs": inputs, "targets": targets}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b"\xff\xfe",
        b'{"model":"line","support":{"inputs":[NaN],"targets":[1]}}',
        b'{"model":"line","support":{"inputs":[Infinity],"targets":[1]}}',
        b'{"model":"line","support":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model":"line","support":{"inputs":[' + b"9" * 5000 + b'],"targets":[1]}}',
    ],
)
def test_what_is_not_json_is_400(http: httpx.Client, body: bytes) -> None:
    check_problem(post(http, body), 400)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/xml"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/octet-stream"},
        {},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_another_media_type_is_415(http: httpx.Client, headers: dict[str, str]) -> None:
    answer = http.post("/v1/adaptations", content=json.dumps(support([1], [1])).encode(), headers=headers)
    check_problem(answer, 415)


def test_a_media_type_may_have_parameters(http: httpx.Client) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = http.post(
        "/v1/adaptations", content=json.dumps(support([1, 2], [1, 2])).encode(), headers=headers
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], ""),
        ({"model": "line"}, "/support"),
        ({"support": LINE}, "/model"),
        ({"model": "line", "from": "adp_1", "support": LINE}, "/model"),
        ({"model": 5, "support": LINE}, "/model"),
        ({"model": "line", "support": LINE, "nope": 1}, "/nope"),
        ({"model": "line", "support": {**LINE, "nope": 1}}, "/support/nope"),
        ({"model": "line", "support": LINE, "ttl_seconds": -1}, "/ttl_seconds"),
        ({"model": "line", "support": LINE, "ttl_seconds": 0}, "/ttl_seconds"),
        ({"model": "line", "support": LINE, "ttl_seconds": 1e-300}, "/ttl_seconds"),
        ({"model": "line", "support": LINE, "ttl_seconds": "60"}, "/ttl_seconds"),
        ({"model": "line", "support": LINE, "ttl_seconds": True}, "/ttl_seconds"),
        ({"model": "line", "support": LINE, "ttl_seconds": 1e999}, "/ttl_seconds"),
        ({"model": "line", "support": LINE, "options": [1]}, "/options"),
        ({"model": "line", "support": LINE, "metadata": {"a": "x" * 2000}}, "/metadata"),
        (
            {"model": "line", "support": LINE, "metadata": {"a": json.loads("[" * 197 + "]" * 197)}},
            "/metadata",
        ),
        (support([[1], [2, 3]], [1, 2]), "/support/inputs/1"),
        (support([], []), "/support/inputs"),
        (support([1, 2], [1]), "/support/targets"),
        (support([[1, 2]], [1]), "/support/inputs"),
        (support(["a"], [1]), "/support/inputs"),
        (support([1], ["a"]), "/support/targets/0"),
        (support([1], [[1, 2]]), "/support/targets"),
        (support([True], [1]), "/support/inputs/0"),
        (support(list(range(65)), list(range(65))), "/support/inputs"),
        (support(POINTS["inputs"], ["a"] * 4, "points"), "/support/targets"),
        (support(POINTS["inputs"], ["a", "b", "c", "d"], "few-ways"), "/support/targets"),
        (support(POINTS["inputs"], ["a", "a", "b", 1], "points"), "/support/targets/3"),
        (support(POINTS["inputs"], [0.5, 1, 2, 3], "points"), "/support/targets"),
        (support(POINTS["inputs"], ["a", "b", "c", "d" * 300], "points"), "/support/targets/3"),
        (support([{"b64": "AAAA"}], [1]), "/support/inputs"),
        (support({"datatype": "FP32", "shape": [10**9, 1], "data": [1]}, [1]), "/support/inputs/data"),
        (support({"datatype": "FP32", "shape": [-1, 1], "data": [1]}, [1]), "/support/inputs/shape/0"),
    ],
)
def test_invalid_input_is_422_and_points_at_the_place(http: httpx.Client, body: Any, pointer: str) -> None:
    before = http.get("/v1/adaptations?limit=100").json()
    check_problem(post(http, json.dumps(body).replace("Infinity", "1e999").encode()), 422, pointer)
    assert http.get("/v1/adaptations?limit=100").json() == before


def test_a_number_that_overflows_is_refused_wherever_it_stands(http: httpx.Client) -> None:
    body = b'{"model":"line","support":{"inputs":[1,2],"targets":[1,2]},"metadata":{"deep":[{"x":1e999}]}}'
    check_problem(post(http, body), 422, "/metadata")
    body = b'{"model":"m","recipe":"functions","overrides":{"training":{"meta_lr":1e999}}}'
    check_problem(post(http, body, "/v1/jobs"), 422)


@pytest.mark.parametrize(
    "model",
    [
        "nope",
        "line@nope",
        "line@99",
        "line@99999999999999999999",
        "../../etc/passwd",
        "line@",
        "@1",
        "",
        "a\0b",
        "line@0",
        "line@01",
    ],
)
def test_an_unknown_model_is_404(http: httpx.Client, model: str) -> None:
    check_problem(post(http, {"model": model, "support": LINE}), 404)
    check_problem(post(http, {"model": model, "support": LINE, "inputs": [1]}, "/v1/predictions"), 404)


@pytest.mark.parametrize("inputs", [[], [[1, 2]], ["a"], [[1], [1, 2]], 5, None, [None]])
def test_an_invalid_query_is_422(http: httpx.Client, inputs: Any) -> None:
    made = post(http, {"model": "line", "support": LINE}).json()["id"]
    problem = check_problem(post(http, {"inputs": inputs}, f"/v1/adaptations/{made}/predictions"), 422)
    assert problem["errors"][0]["pointer"].startswith("/inputs")


@pytest.mark.parametrize(("inputs", "query", "pointer"), [(1, 1e30, "/inputs"), (3e38, 1, "/support")])
def test_numbers_too_far_for_a_model_are_pointed_at(
    http: httpx.Client, inputs: float, query: float, pointer: str
) -> None:
    """Of a call that adapts and predicts, the one that is too far."""
    body = support([[inputs] * 3, [-inputs] * 3] * 4, ["a", "b"] * 4, "points")
    check_problem(post(http, {**body, "inputs": [[query] * 3]}, "/v1/predictions"), 422, pointer)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/adaptations/adp_nope",
        "/v1/adaptations/adp_%00",
        "/v1/adaptations/nope",
        "/v1/models/nope",
        "/v1/models/nope/versions",
        "/v1/models/line/versions/99",
        "/v1/models/line/versions/0",
        "/v1/models/line/versions/x",
        "/v1/models/line/versions/1.0",
        "/v1/models/line/versions/01",
        "/v1/models/line/versions/+1",
        "/v1/models/line/versions/99999999999999999999",
        "/v1/models/line/versions/1/artifact/x",
        "/v1/models/line/aliases/nope",
        "/v1/models/%00",
        "/v1/jobs/job_nope",
        "/v1/jobs/job_nope/events",
        "/v1/jobs/job_nope/checkpoints",
        "/v1/datasets/ds_nope",
        "/v1/nope",
        "/nope",
        "/v1/jobs/",
        "/%ff",
    ],
)
def test_what_is_not_there_is_404(http: httpx.Client, path: str) -> None:
    check_problem(http.get(path), 404)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/adaptations", "GET, HEAD, POST"),
        ("/v1/adaptations/adp_1", "DELETE, GET, HEAD"),
        ("/v1/models/line/aliases/champion", "DELETE, GET, HEAD, PUT"),
        ("/v1/predictions", "POST"),
        ("/livez", "GET, HEAD"),
    ],
)
def test_a_method_that_a_path_does_not_have_is_405(http: httpx.Client, path: str, allowed: str) -> None:
    answer = http.patch(path)
    check_problem(answer, 405)
    assert answer.headers["allow"] == allowed
    assert "HEAD" in allowed or http.head(path).status_code == 405


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=nope", "after=%00", "limit=-1"])
@pytest.mark.parametrize(
    "path", ["adaptations", "models", "models/line/versions", "jobs", "datasets", "recipes"]
)
def test_a_faulty_page_is_422(http: httpx.Client, path: str, query: str) -> None:
    check_problem(http.get(f"/v1/{path}?{query}"), 422)


def test_a_cursor_of_another_list_is_422(http: httpx.Client) -> None:
    for _ in range(2):
        post(http, {"model": "line", "support": LINE})
    cursor = http.get("/v1/adaptations?limit=1").json()["next"]
    assert http.get(f"/v1/adaptations?after={cursor}").status_code == 200
    for path in ("models", "jobs", "datasets"):
        check_problem(http.get(f"/v1/{path}?after={cursor}"), 422)


@pytest.mark.parametrize("length", ["999", "-1", "x", "0", "", "1e2"])
def test_a_faulty_frame_is_400(http: httpx.Client, length: str) -> None:
    content = json.dumps(support([1, 2], [1, 2])).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": length}
    check_problem(http.post("/v1/adaptations", content=content, headers=headers), 400)


def test_a_binary_tensor_that_is_too_short_is_400(http: httpx.Client) -> None:
    tensor = {"datatype": "FP32", "shape": [4, 1], "parameters": {"binary_data_size": 16}}
    head = json.dumps(support(tensor, [1, 2, 3, 4])).encode()
    headers = {**JSON, "Inference-Header-Content-Length": str(len(head))}
    check_problem(http.post("/v1/adaptations", content=head + bytes(8), headers=headers), 400)


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(http: httpx.Client) -> None:
    limit = http.get("/v1/limits").json()["body_bytes"]
    check_problem(http.post("/v1/adaptations", content=b" " * (limit + 1), headers=JSON), 413)
    assert post(http, {"model": "line", "support": LINE}).status_code == 201


def test_a_body_without_a_length_is_refused_while_it_comes(http: httpx.Client) -> None:
    limit = http.get("/v1/limits").json()["body_bytes"]

    def endless() -> Any:
        for _ in range(8 * limit // 65536):
            yield b" " * 65536

    check_problem(http.post("/v1/adaptations", content=endless(), headers=JSON), 413)
    assert check_list(http.get("/v1/adaptations?limit=1"))


def test_a_body_that_is_announced_but_never_sent_is_refused_at_once(http: httpx.Client) -> None:
    import socket

    port = int(str(http.base_url.port))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/adaptations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1073741824\r\n\r\n"
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")
