"""Models of tables over HTTP: what a version tells of its columns, and classes that are always the same."""

from typing import Any

import httpx
import pytest

from innerloop import Client
from tests.contract.conftest import Service
from tests.contract.shapes import check_problem
from tests.contract.test_datasets import CSV, upload


def test_a_version_tells_what_a_row_is_made_of(http: httpx.Client) -> None:
    signature = http.get("/v1/models/answers/versions/1").json()["signature"]
    assert [column["name"] for column in signature["columns"]] == ["skill", "place"]
    assert signature["columns"][0]["categories"] == ["add", "take"]
    assert (signature["columns"][1]["mean"], signature["columns"][1]["scale"]) == (3, 2)
    assert signature["classes"] == ["0", "1"]


@pytest.mark.parametrize(
    ("shown", "classes"), [([1, 1], [0, 1]), (["1", "0"], ["0", "1"]), (["0"], ["0", "1"])]
)
def test_a_support_set_need_not_show_every_class(
    http: httpx.Client, shown: list[Any], classes: list[Any]
) -> None:
    support = {"inputs": [[0, 1], [1, 2]][: len(shown)], "targets": shown}
    made = http.post("/v1/adaptations", json={"model": "answers", "support": support})
    assert made.status_code == 201, made.text
    assert made.json()["classes"] == classes
    query = {"inputs": [[0, 3], [1, 4]]}
    answer = http.post(f"/v1/adaptations/{made.json()['id']}/predictions", json=query)
    for prediction in answer.json()["predictions"]:
        assert set(prediction["probabilities"]) == {"0", "1"}
        assert sum(prediction["probabilities"].values()) == pytest.approx(1)


def test_somebody_of_whom_nothing_is_known_gets_an_answer_too(service: Service) -> None:
    with Client(service.url) as client:
        first, other = client.adapt_and_predict("answers", None, None, [[0, 1], [1, 1]])
    assert set(first.probabilities) == {0, 1} or set(first.probabilities) == {"0", "1"}
    assert first.probability != other.probability


def test_a_class_that_the_model_does_not_know_is_refused(http: httpx.Client) -> None:
    support = {"inputs": [[0, 1]], "targets": ["2"]}
    body = {"model": "answers", "support": support}
    problem = check_problem(http.post("/v1/adaptations", json=body), 422, "/support/targets/0")
    assert "which are '0', '1'" in problem["detail"]


def test_an_upload_names_its_categories_and_its_order(http: httpx.Client) -> None:
    content = b"skill,at,right,who\nadd,2,0,x\ntake,1,1,x\nadd,3,1,y\n"
    query = {"inputs": "skill", "target": "right", "task": "who", "categorical": "skill", "order": "at"}
    made = upload(http, content, CSV, **query)
    assert made.status_code == 201, made.text
    assert made.json()["signature"]["columns"][0]["categories"] == ["add", "take"]
    unordered = upload(
        http, content, CSV, **{name: given for name, given in query.items() if name != "order"}
    )
    assert unordered.json()["id"] != made.json()["id"]
    check_problem(upload(http, content, CSV, **{**query, "categorical": "at"}), 422)
    job = {
        "model": "m",
        "learner": {"algorithm": {"name": "ridge"}, "network": {"name": "mlp"}},
        "tasks": {"family": "sequences", "dataset": made.json()["id"]},
    }
    check_problem(http.post("/v1/jobs", json=job), 422, "/learner/algorithm/name")
