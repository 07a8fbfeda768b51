"""What callers do with a service, in as few words as tests need: train, adapt, predict."""

from typing import Any

import httpx

from tests.integration.server import wait_for

LINE = {"inputs": [1, 2, 3, 4], "targets": [2, 4, 6, 8]}
ENDED = ("succeeded", "failed", "cancelled")


def small_job(model: str, iterations: int = 30) -> dict[str, Any]:
    """Training that is over in a moment, or lasts, by the number of iterations."""
    return {
        "model": model,
        "recipe": "sinusoid-maml",
        "overrides": {
            "learner": {"network": {"hidden": [10]}},
            "training": {"iterations": iterations, "meta_batch_size": 4, "test_episodes": 20},
        },
        "publish": {"alias": "champion"},
    }


def submit(http: httpx.Client, draft: dict[str, Any]) -> str:
    answer = http.post("/v1/jobs", json=draft)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def ended(http: httpx.Client, job: str) -> dict[str, Any]:
    """The job once it has ended."""

    def look() -> dict[str, Any] | None:
        found = http.get(f"/v1/jobs/{job}").json()
        return found if found["status"] in ENDED else None

    return dict(wait_for(look, f"end of {job}", 150))


def trained(http: httpx.Client, model: str) -> str:
    """The name of a model that has a version; it is trained unless it is there."""
    if http.get(f"/v1/models/{model}").status_code != 200:
        job = ended(http, submit(http, small_job(model)))
        assert job["status"] == "succeeded", job
    return model


def adapted(http: httpx.Client, model: str, **more: Any) -> str:
    answer = http.post("/v1/adaptations", json={"model": model, "support": LINE, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def predicted(http: httpx.Client, adaptation: str) -> list[float]:
    answer = http.post(f"/v1/adaptations/{adaptation}/predictions", json={"inputs": [5, 6]})
    assert answer.status_code == 200, answer.text
    return [one["value"] for one in answer.json()["predictions"]]
