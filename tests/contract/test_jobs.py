"""Jobs over HTTP up to the point where a worker takes over: their life without one, recipes, faulty drafts."""

from typing import Any

import httpx
import pytest

from innerloop.schemas.jobs import JobResponse
from tests.contract.shapes import check_list, check_problem

RECIPE = {"model": "sinusoid", "recipe": "sinusoid-maml"}


def submit(http: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/jobs", json={**RECIPE, **body})
    assert answer.status_code == 202, answer.text
    JobResponse.model_validate_json(answer.content)
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    return dict(answer.json())


def test_a_job_from_a_recipe_has_every_field(http: httpx.Client) -> None:
    overrides = {"training": {"iterations": 2000, "seed": 7}}
    job = submit(http, overrides=overrides, publish={"alias": "champion"})
    assert (job["object"], job["type"], job["status"], job["model"]) == (
        "job",
        "meta_training",
        "queued",
        "sinusoid",
    )
    assert job["id"].startswith("job_")
    assert (job["config"]["training"]["iterations"], job["config"]["training"]["seed"]) == (2000, 7)
    assert job["config"]["learner"]["algorithm"]["name"] == "maml"
    assert job["progress"] == {"iteration": 0, "iterations": 2000, "fraction": 0.0, "eta_seconds": None}
    assert (job["result"], job["error"], job["started_at"], job["finished_at"]) == (None, None, None, None)
    assert http.get(f"/v1/jobs/{job['id']}").json() == job


def test_a_job_from_a_whole_configuration(http: httpx.Client) -> None:
    recipe = {one["name"]: one for one in check_list(http.get("/v1/recipes"))}["sinusoid-maml"]
    answer = http.post("/v1/jobs", json={"model": "own", **recipe["config"]})
    assert answer.status_code == 202, answer.text
    assert answer.json()["config"] == recipe["config"]


def test_recipes_are_listed_in_full(http: httpx.Client) -> None:
    recipes = check_list(http.get("/v1/recipes"))
    assert {"functions", "sinusoid-maml", "sinusoid-ridge"} <= {one["name"] for one in recipes}
    for recipe in recipes:
        assert recipe["description"]
        assert recipe["created_at"].endswith("Z")
        assert set(recipe["config"]) == {"learner", "tasks", "training"}
        assert set(recipe["takes"]) == {"cpu", "gpu"}
        assert {"needs", "reaches"} <= set(recipe)


def test_recipes_come_by_the_page(http: httpx.Client) -> None:
    names = [one["name"] for one in check_list(http.get("/v1/recipes"))]
    seen: list[str] = []
    after = ""
    while after is not None:
        page = http.get(f"/v1/recipes?limit=1{after and '&after='}{after}")
        seen += [one["name"] for one in check_list(page)]
        after = page.json()["next"]
    assert seen == names
    path = f"/v1/jobs/{submit(http)['id']}/checkpoints"
    check_problem(http.get(f"{path}?limit=0"), 422)
    check_problem(http.get(f"{path}?after=ckpt_nope"), 422)


def test_pause_resume_cancel_and_their_illegal_forms(http: httpx.Client) -> None:
    job = submit(http)
    path = f"/v1/jobs/{job['id']}"
    check_problem(http.post(f"{path}/resume"), 409)
    paused = http.post(f"{path}/pause")
    assert (paused.status_code, paused.json()["status"]) == (200, "paused")
    check_problem(http.post(f"{path}/pause"), 409)
    assert http.post(f"{path}/resume").json()["status"] == "queued"
    cancelled = http.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["finished_at"] is not None
    for move in ("cancel", "pause", "resume"):
        check_problem(http.post(f"{path}/{move}"), 409)
    check_problem(http.post("/v1/jobs/job_nope/cancel"), 404)
    assert http.get(path).json()["status"] == "cancelled"
    assert check_list(http.get(f"{path}/checkpoints")) == []


def test_jobs_are_listed_by_page_status_and_model(http: httpx.Client) -> None:
    made = [submit(http, model="listed")["id"] for _ in range(3)]
    http.post(f"/v1/jobs/{made[0]}/cancel")
    first = http.get("/v1/jobs?model=listed&limit=2")
    rest = http.get(f"/v1/jobs?model=listed&limit=2&after={first.json()['next']}")
    assert [one["id"] for one in check_list(first) + check_list(rest)] == made[::-1]
    cancelled = check_list(http.get("/v1/jobs?model=listed&status=cancelled"))
    assert [one["id"] for one in cancelled] == [made[0]]
    check_problem(http.get("/v1/jobs?status=nope"), 422)
    check_problem(http.get("/v1/jobs?model=%00"), 422)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"model": "m", "recipe": "nope"}, "/recipe"),
        ({"model": "m"}, "/recipe"),
        ({"recipe": "functions"}, "/model"),
        ({"model": "a/../b", "recipe": "functions"}, "/model"),
        ({"model": "m", "recipe": "functions", "nope": 1}, "/nope"),
        (
            {"model": "m", "recipe": "functions", "overrides": {"training": {"iterations": -5}}},
            "/overrides/training/iterations",
        ),
        (
            {"model": "m", "recipe": "functions", "overrides": {"training": {"nope": 1}}},
            "/overrides/training/nope",
        ),
        ({"model": "m", "recipe": "functions", "publish": {"alias": "1"}}, "/publish/alias"),
        ({"model": "m", "recipe": "functions", "publish": {"nope": "1"}}, "/publish/nope"),
        ({"model": "m", "learner": {"algorithm": {"name": "nope"}}}, "/learner/algorithm/name"),
    ],
)
def test_a_faulty_draft_is_422_and_makes_no_job(
    http: httpx.Client, body: dict[str, Any], pointer: str
) -> None:
    before = http.get("/v1/jobs?limit=100").json()
    check_problem(http.post("/v1/jobs", json=body), 422, pointer)
    assert http.get("/v1/jobs?limit=100").json() == before


def test_a_job_on_a_dataset_that_is_not_there_is_422(http: httpx.Client) -> None:
    body = {
        "model": "m",
        "learner": {"algorithm": {"name": "protonet"}, "network": {"name": "mlp"}},
        "tasks": {"dataset": "ds_nope"},
    }
    check_problem(http.post("/v1/jobs", json=body), 422, "/tasks/dataset")


def test_recipes_say_what_they_need_reach_and_take(http: httpx.Client) -> None:
    of_name = {recipe["name"]: recipe for recipe in check_list(http.get("/v1/recipes?limit=100"))}
    assert of_name["sinusoid-maml"]["needs"] is None
    assert of_name["sinusoid-maml"]["takes"] == {"cpu": "30 s", "gpu": "4 s"}
    assert all(recipe["reaches"] and all(recipe["takes"].values()) for recipe in of_name.values())
    assert "Omniglot" in of_name["omniglot-maml"]["needs"]
    assert "98.30" in of_name["omniglot-maml"]["reaches"]
