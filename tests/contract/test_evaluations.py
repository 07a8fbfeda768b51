"""Evaluations over HTTP up to the point where a worker takes over: what a draft may say, and what a job then is."""

import io
from typing import Any

import httpx
import numpy as np
import pytest

from innerloop import Client
from innerloop.schemas.jobs import JobResponse
from tests.contract.shapes import check_list, check_problem


@pytest.fixture
def dataset(http: httpx.Client) -> str:
    """Points [3] of six classes, of twenty examples each."""
    file = io.BytesIO()
    inputs = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    np.savez(file, inputs=inputs, targets=np.arange(6).repeat(20).astype(str))
    headers = {"Content-Type": "application/x-npz"}
    answer = http.post("/v1/datasets?name=evaluated", content=file.getvalue(), headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


def test_an_evaluation_is_a_job_like_any_other(http: httpx.Client, dataset: str) -> None:
    body = {"type": "evaluation", "model": "points@1", "episodes": 50, "seed": 3, "dataset": dataset}
    answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    job = JobResponse.model_validate_json(answer.content)
    assert (job.type, job.status, job.model, job.publish) == (
        "evaluation",
        "queued",
        "points",
        {"alias": None},
    )
    assert {name: job.config[name] for name in ("model", "version", "episodes", "seed", "whole")} == {
        "model": "points",
        "version": 1,
        "episodes": 50,
        "seed": 3,
        "whole": True,
    }
    assert (job.config["tasks"]["n_way"], job.config["shots"]) == (5, [1, 2, 3, 5, 10])
    assert job.progress.iterations == 50
    assert answer.headers["location"] == f"/v1/jobs/{job.id}"
    assert job.id in {one["id"] for one in check_list(http.get("/v1/jobs?model=points"))}
    check_problem(http.delete(f"/v1/datasets/{dataset}"), 409)
    assert http.post(f"/v1/jobs/{job.id}/cancel").json()["status"] == "cancelled"


def test_the_client_asks_for_one(http: httpx.Client, dataset: str) -> None:
    with Client(str(http.base_url)) as client:
        job = client.evaluate("points", dataset=dataset)
        assert (job.response.type, job.config["episodes"], job.config["seed"]) == ("evaluation", 600, 0)
        job.cancel()


def test_a_type_may_be_said_of_a_training_too(http: httpx.Client) -> None:
    answer = http.post("/v1/jobs", json={"type": "meta_training", "model": "m", "recipe": "functions"})
    assert (answer.status_code, answer.json()["type"]) == (202, "meta_training")
    http.post(f"/v1/jobs/{answer.json()['id']}/cancel")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"model": "nope"}, "/model"),
        ({"model": "points@9"}, "/model"),
        ({"model": "points"}, "/dataset"),
        ({"model": "points", "dataset": "ds_nope"}, "/dataset"),
        ({"model": "points", "episodes": 0}, "/episodes"),
        ({"model": "points", "episodes": 1.5}, "/episodes"),
        ({"model": "points", "seed": -1}, "/seed"),
        ({"model": "points", "recipe": "functions"}, "/recipe"),
        ({"model": "points", "publish": {"alias": "a"}}, "/publish"),
        ({"model": "points", "type": "other"}, "/type"),
        ({"type": "meta_training", "model": "m", "recipe": "functions", "seed": 3}, "/seed"),
    ],
)
def test_a_faulty_draft_is_422(http: httpx.Client, body: dict[str, Any], pointer: str) -> None:
    problem = check_problem(http.post("/v1/jobs", json={"type": "evaluation", **body}), 422)
    assert problem["errors"][0]["pointer"] == pointer
