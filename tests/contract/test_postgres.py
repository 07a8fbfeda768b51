"""The same api on Postgres: what a caller sees does not depend on the database."""

from collections.abc import Iterator

import httpx
import pytest

from services.jobs.carrier import migrate_jobs
from services.storage.migrations import migrate
from tests import small_models
from tests.contract.adaptations import LINE, POINTS, adapt, predict
from tests.contract.conftest import serving, settings, storage_at
from tests.contract.shapes import check_list, check_problem
from tests.contract.test_idempotency import GOOD, check_replay, post
from tests.contract.test_jobs import submit
from tests.postgres import postgres_server


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with postgres_server() as url:
        storage = storage_at(tmp_path_factory.mktemp("postgres"), url)
        migrate(storage)
        migrate_jobs(storage)
        with serving(storage, settings()) as service:
            service.publish_models()
            service.services.registry.publish("table", small_models.table_heads())
            with httpx.Client(base_url=service.url, timeout=30) as client:
                yield client


def test_adapt_predict_list_delete(http: httpx.Client) -> None:
    made = [adapt(http), adapt(http, model="points", support=POINTS, metadata={"nul": "a\0b"})]
    assert len(predict(http, made[0]["id"], [5, 6])) == 2
    assert predict(http, made[1]["id"], POINTS["inputs"][:1])[0]["label"] == "a"
    first = http.get("/v1/adaptations?limit=1")
    rest = http.get(f"/v1/adaptations?limit=1&after={first.json()['next']}")
    assert check_list(first) + check_list(rest) == made[::-1]
    for one in made:
        assert http.delete(f"/v1/adaptations/{one['id']}", headers={"If-Match": '"1"'}).status_code == 204
    assert check_list(http.get("/v1/adaptations")) == []


def test_a_table_keeps_its_columns(http: httpx.Client) -> None:
    made = adapt(http, model="table", support={"inputs": [[1, 2], [3, 5]], "targets": ["a", "b"]})
    assert http.get(f"/v1/adaptations/{made['id']}").json() == made
    assert made["n_columns"] == 2
    assert len(predict(http, made["id"], [[1, 2]])) == 1
    refused = http.post(f"/v1/adaptations/{made['id']}/predictions", json={"inputs": [[1, 2, 0]]})
    assert "has 2 columns" in check_problem(refused, 422, "/inputs")["detail"]
    assert http.delete(f"/v1/adaptations/{made['id']}").status_code == 204


def test_a_request_is_done_once(http: httpx.Client) -> None:
    first, second = (post(http, "once", GOOD) for _ in range(2))
    assert first.status_code == 201
    check_replay(first, second)
    check_problem(post(http, "once", {"model": "line", "support": LINE, "ttl_seconds": 9}), 422)


def test_a_job_moves_and_tells(http: httpx.Client) -> None:
    job = submit(http)["id"]
    for move in ("pause", "resume", "cancel"):
        assert http.post(f"/v1/jobs/{job}/{move}").status_code == 200
    statuses = [event["data"]["status"] for event in check_list(http.get(f"/v1/jobs/{job}/events"))]
    assert statuses == ["queued", "paused", "queued", "cancelled"]


def test_text_that_postgres_cannot_hold_is_nobodys_name(http: httpx.Client) -> None:
    for path in ("/v1/models/%00", "/v1/adaptations/adp_%00", "/v1/jobs/job_%00"):
        check_problem(http.get(path), 404)
    check_problem(http.get("/v1/jobs?model=%00"), 422)
    check_problem(http.get("/v1/adaptations?model=%00"), 404)
