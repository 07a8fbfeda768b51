"""Idempotency-Key on every POST: done once, answered as often as asked."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from app.idempotency import fingerprint_of
from services.errors import Unavailable
from services.storage.tables import IdempotencyKeyRow
from tests import small_models
from tests.contract.adaptations import LINE
from tests.contract.conftest import Service
from tests.contract.shapes import check_problem
from tests.contract.test_datasets import NPZ, npz
from tests.contract.test_jobs import RECIPE, submit

GOOD = {"model": "line", "support": LINE}


def post(http: httpx.Client, key: str, body: Any, path: str = "/v1/adaptations") -> httpx.Response:
    return http.post(path, json=body, headers={"Idempotency-Key": key})


def check_replay(first: httpx.Response, second: httpx.Response) -> None:
    assert second.status_code == first.status_code
    assert second.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    for name in ("content-type", "location", "etag"):
        assert second.headers.get(name) == first.headers.get(name)
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


def test_every_post_replays_its_answer(http: httpx.Client) -> None:
    made = http.post("/v1/adaptations", json=GOOD).json()["id"]
    for path, body in (
        ("/v1/adaptations", GOOD),
        (f"/v1/adaptations/{made}/predictions", {"inputs": [1]}),
        ("/v1/predictions", {**GOOD, "inputs": [1]}),
        ("/v1/jobs", RECIPE),
    ):
        first, second = (post(http, "every-post", body, path) for _ in range(2))
        assert first.status_code < 300, first.text
        check_replay(first, second)


def test_a_cancelled_job_is_cancelled_once(http: httpx.Client) -> None:
    path = f"/v1/jobs/{submit(http)['id']}/cancel"
    first, second = (http.post(path, headers={"Idempotency-Key": "once"}) for _ in range(2))
    assert first.status_code == 200
    check_replay(first, second)


@pytest.mark.parametrize(
    ("path", "content", "media_type"),
    [
        ("/v1/datasets?name=once", npz(inputs=[[1.0], [2.0]], targets=[0, 1]), NPZ),
        ("/v1/models/once/versions", small_models.regression_ridge(), "application/octet-stream"),
    ],
)
def test_files_are_taken_in_once(http: httpx.Client, path: str, content: bytes, media_type: str) -> None:
    headers = {"Idempotency-Key": "file", "Content-Type": media_type}
    first, second = (http.post(path, content=content, headers=headers) for _ in range(2))
    assert first.status_code == 201, first.text
    check_replay(first, second)
    check_problem(http.post(path, content=content + b" ", headers=headers), 422)


def test_a_key_may_be_quoted(http: httpx.Client) -> None:
    bare = post(http, "0b7c-quoted", GOOD)
    check_replay(bare, post(http, '"0b7c-quoted"', GOOD))


def test_the_same_key_with_another_body_is_422(http: httpx.Client) -> None:
    post(http, "other-body", GOOD)
    check_problem(post(http, "other-body", {**GOOD, "ttl_seconds": 60}), 422)


def test_a_key_counts_for_its_path_alone(http: httpx.Client) -> None:
    post(http, "path", GOOD)
    assert post(http, "path", {**GOOD, "inputs": [1]}, "/v1/predictions").status_code == 200


def test_a_mistake_is_answered_again_too(http: httpx.Client) -> None:
    first, second = (post(http, "mistake", {"model": "nope", "support": LINE}) for _ in range(2))
    check_problem(first, 404)
    check_replay(first, second)
    first, second = (
        http.post(
            "/v1/adaptations",
            content=b"{",
            headers={"Content-Type": "application/json", "Idempotency-Key": "not-json"},
        )
        for _ in range(2)
    )
    check_problem(first, 400)
    check_replay(first, second)


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "tab\there", "\xe9"])
def test_what_is_no_key_is_400(http: httpx.Client, key: str) -> None:
    answer = http.post(
        "/v1/adaptations",
        content=json.dumps(GOOD),
        headers=[(b"content-type", b"application/json"), (b"idempotency-key", key.encode("latin-1"))],
    )
    check_problem(answer, 400)


def test_a_key_whose_first_request_runs_is_409_and_comes_free_when_it_dies(
    http: httpx.Client, service: Service
) -> None:
    content = json.dumps(GOOD).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": "running"}
    slot = ("anonymous", "POST", "/v1/adaptations", "running")
    fingerprint = fingerprint_of(hashlib.sha256(content).hexdigest(), "", None)
    service.services.idempotency.begin(*slot, fingerprint=fingerprint)
    running = http.post("/v1/adaptations", content=content, headers=headers)
    check_problem(running, 409)
    assert running.headers["retry-after"] == "1"
    service.services.idempotency.abandon(*slot)
    first, second = (http.post("/v1/adaptations", content=content, headers=headers) for _ in range(2))
    assert first.status_code == 201
    check_replay(first, second)


def test_what_was_made_before_a_crash_is_found_and_not_made_again(
    http: httpx.Client, service: Service
) -> None:
    content = json.dumps(GOOD).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": "crashed"}
    slot = ("anonymous", "POST", "/v1/adaptations", "crashed")
    fingerprint = fingerprint_of(hashlib.sha256(content).hexdigest(), "", None)
    first = http.post("/v1/adaptations", content=content, headers=headers).json()
    # The process died after it stored the adaptation and before it stored the answer.
    with service.services.database.write() as session:
        row = session.get(IdempotencyKeyRow, slot)
        assert row is not None
        assert row.fingerprint == fingerprint
        row.status = row.headers = row.body = None
        row.leased_until = row.created_at
    second = http.post("/v1/adaptations", content=content, headers=headers)
    assert (second.status_code, second.json()) == (201, first)
    assert "idempotent-replayed" not in second.headers


def test_a_long_answer_is_not_kept_and_the_key_comes_free(
    http: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.idempotency.MOST_KEPT_BYTES", 100)
    first, second = (post(http, "long", GOOD) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert "idempotent-replayed" not in second.headers
    assert second.json() == first.json()
    with service.services.database.read() as session:
        row = session.get_one(IdempotencyKeyRow, ("anonymous", "POST", "/v1/adaptations", "long"))
        assert (row.status, row.body) == (None, None)


@pytest.mark.parametrize("forgets", ["finish", "abandon"])
def test_an_answer_that_cannot_be_kept_is_given_all_the_same(
    http: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch, forgets: str
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("the database does not answer")

    if forgets == "abandon":
        monkeypatch.setattr("app.idempotency.MOST_KEPT_BYTES", 0)
    monkeypatch.setattr(service.services.idempotency, forgets, away)
    answer = post(http, f"away-{forgets}", GOOD)
    assert answer.status_code == 201
    assert http.get(answer.headers["location"]).status_code == 200
