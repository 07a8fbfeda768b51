"""Health, limits, metrics, request ids, and defects that do not look like anything else."""

from pathlib import Path

import httpx
import pytest

from innerloop.schemas.operations import LimitsResponse, ReadinessResponse
from services.engine.messages import EngineStatus
from services.errors import Unavailable
from tests.contract.conftest import ENGINE, LIMITS, Service, serving, settings, storage_at
from tests.contract.shapes import check_list, check_problem
from tests.contract.test_jobs import submit


def test_livez_says_that_the_process_lives(http: httpx.Client) -> None:
    answer = http.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_the_address_alone_leads_to_the_documentation(http: httpx.Client) -> None:
    answer = http.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/docs")
    assert http.get("/", follow_redirects=True).headers["content-type"].startswith("text/html")


def test_readyz_tells_what_is_missing(own_service: Service) -> None:
    with httpx.Client(base_url=own_service.url, timeout=30) as http:
        answer = http.get("/readyz")
        problem = check_problem(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
        assert "worker" in problem["detail"]
        assert {name: check["ok"] for name, check in problem["checks"].items()} == {
            "engine": True,
            "database": True,
            "worker": False,
        }
        assert ReadinessResponse.model_validate(problem).status == "unready"
        own_service.worker_gives_a_sign()
        ready = http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")


def test_readyz_is_503_where_there_are_no_tables_yet(tmp_path: Path) -> None:
    storage = storage_at(tmp_path / "data")
    storage.data_dir.mkdir()
    with serving(storage, settings()) as service:
        problem = check_problem(httpx.get(f"{service.url}/readyz", timeout=30), 503)
    assert "tables" in problem["checks"]["database"]["detail"]


def test_an_engine_that_is_stuck_is_not_ready(own_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(*_: object) -> EngineStatus:
        return EngineStatus("cpu", 1, 0, 0, busy_seconds=31.0)

    own_service.worker_gives_a_sign()
    monkeypatch.setattr(type(own_service.services.engine), "ping", stuck)
    with httpx.Client(base_url=own_service.url, timeout=30) as http:
        problem = check_problem(http.get("/readyz"), 503)
    assert problem["checks"]["engine"] == {
        "ok": False,
        "detail": "the engine has been at one device pass for 31 s",
    }


def test_an_engine_that_is_away_is_503_with_retry_after(
    own_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("the engine is away", retry_after=1.2)

    own_service.publish_models()
    for name in ("ping", "adapt", "adapt_predict"):
        monkeypatch.setattr(type(own_service.services.engine), name, away)
    with httpx.Client(base_url=own_service.url, timeout=30) as http:
        body = {"model": "line", "support": {"inputs": [1, 2], "targets": [1, 2]}}
        for headers in ({}, {"Idempotency-Key": "away"}, {"Idempotency-Key": "away"}):
            answer = http.post("/v1/adaptations", json=body, headers=headers)
            check_problem(answer, 503)
            assert answer.headers["retry-after"] == "2"
            assert "idempotent-replayed" not in answer.headers
        check_problem(http.get("/readyz"), 503)
        assert check_list(http.get("/v1/adaptations")) == []


def test_a_defect_is_a_500_that_gives_nothing_away(
    own_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(own_service.services.registry, "models", broken)
    with httpx.Client(base_url=own_service.url, timeout=30) as http:
        problem = check_problem(http.get("/v1/models", headers={"X-Request-Id": "mine"}), 500)
        assert problem["request_id"] == "mine"
        assert "secret" not in str(problem)
        assert http.get("/livez").status_code == 200


def test_limits_are_those_that_hold(http: httpx.Client) -> None:
    answer = http.get("/v1/limits")
    limits = answer.json()
    LimitsResponse.model_validate_json(answer.content)
    assert limits["object"] == "limits"
    assert limits["body_bytes"] == settings().body_bytes
    assert limits["support_examples"] == LIMITS.support_examples
    assert limits["ways"] == LIMITS.ways
    assert limits["queue_depth"] == ENGINE.engine_max_queued
    assert limits["queue_seconds"] == ENGINE.engine_max_queued_seconds
    assert limits["queue_share"] == ENGINE.engine_tenant_share
    assert {
        "dataset_bytes",
        "artifact_bytes",
        "query_examples",
        "answer_numbers",
        "input_width",
        "call_operations",
        "call_bytes",
    } <= set(limits)


@pytest.mark.parametrize("path", ["/livez", "/v1/models", "/v1/nope"])
def test_a_request_id_is_echoed_or_made(http: httpx.Client, path: str) -> None:
    assert http.get(path, headers={"X-Request-Id": "abc-1.2:3"}).headers["x-request-id"] == "abc-1.2:3"
    made = {
        http.get(path, headers={"X-Request-Id": bad}).headers["x-request-id"]
        for bad in ("", "a b", "x" * 129)
    }
    assert len(made) == 3
    assert all(one.startswith("req_") for one in made)


def test_metrics_count_by_route_and_never_by_id(http: httpx.Client) -> None:
    http.get("/v1/adaptations/adp_metrics")
    http.get("/nothing/here")
    metrics = http.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    expected = (
        'innerloop_http_requests_total{method="GET",route="/v1/adaptations/{adaptation_id}",status="404"}'
    )
    assert expected in metrics.text
    assert 'route="unrouted",status="404"' in metrics.text
    assert "adp_metrics" not in metrics.text
    assert "/nothing/here" not in metrics.text
    assert 'innerloop_jobs{status="queued"}' in metrics.text
    assert "innerloop_http_request_seconds_bucket" in metrics.text


def test_docs_are_served(http: httpx.Client) -> None:
    assert "swagger" in http.get("/docs").text.lower()
    assert http.get("/openapi.json").json()["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/v1/models",
        "/v1/models/line/versions/1",
        "/v1/models/line/versions/1/artifact",
        "/v1/nope",
        "/v2",
        "/v2/nope",
        "/v2/models/adp_1/ready",
        "/docs",
        "/openapi.json",
    ],
)
def test_head_is_get_without_the_body(http: httpx.Client, path: str) -> None:
    head, get = http.head(path), http.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    for name in ("content-type", "content-length", "etag", "content-disposition"):
        assert (name, head.headers.get(name)) == (name, get.headers.get(name))
    assert head.headers["x-request-id"]
    assert http.get("/livez").status_code == 200


def test_head_of_a_stream_ends(http: httpx.Client) -> None:
    job = submit(http)["id"]
    head = http.head(f"/v1/jobs/{job}/events", headers={"Accept": "text/event-stream"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")
    # Only the request that asks.
    assert "innerloop_http_requests_in_flight 1.0" in http.get("/metrics").text
