"""Adaptations and predictions over HTTP, to the letter of the contract."""

import base64
import io
import math
from datetime import datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from services.storage.tables import AdaptationRow
from tests.contract.adaptations import LINE, POINTS, adapt, binary, framed, predict
from tests.contract.conftest import Service
from tests.contract.shapes import check_list, check_problem


def test_a_regression_adaptation_has_every_field(http: httpx.Client) -> None:
    body = {"model": "line@champion", "support": LINE, "ttl_seconds": 60, "metadata": {"customer": "42"}}
    answer = http.post("/v1/adaptations", json=body)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/adaptations/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    assert made["object"] == "adaptation"
    assert made["id"].startswith("adp_")
    assert made["model"] == {"name": "line", "version": 1}
    assert (made["status"], made["task"], made["classes"]) == ("ready", "regression", None)
    assert (made["n_support"], made["revision"], made["metadata"]) == (4, 1, {"customer": "42"})
    assert made["n_columns"] is None
    assert math.isfinite(made["support_loss"])
    lifetime = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert lifetime == timedelta(seconds=60)
    assert made["created_at"].endswith("Z")


def test_a_prediction_gives_value_and_std(http: httpx.Client) -> None:
    made = adapt(http)
    answer = http.post(f"/v1/adaptations/{made['id']}/predictions", json={"inputs": [5, 6]}).json()
    assert answer["object"] == "predictions"
    assert (answer["adaptation"], answer["revision"], answer["model"]) == (made["id"], 1, made["model"])
    for prediction in answer["predictions"]:
        assert set(prediction) == {"value", "std"}
        assert isinstance(prediction["value"], float)
        assert prediction["std"] > 0


def test_a_learner_without_std_says_null(http: httpx.Client) -> None:
    made = adapt(http, model="steps")
    assert [one["std"] for one in predict(http, made["id"], [1.0])] == [None]


@pytest.mark.parametrize("labels", [["a", "a", "b", "b"], [10, 10, 20, 20]])
def test_labels_come_back_as_they_came(http: httpx.Client, labels: list[Any]) -> None:
    made = adapt(http, model="points", support={**POINTS, "targets": labels})
    assert made["classes"] == [labels[0], labels[2]]
    (near, far) = predict(http, made["id"], [POINTS["inputs"][0], POINTS["inputs"][2]])
    assert (near["label"], far["label"]) == (labels[0], labels[2])
    assert set(near["probabilities"]) == {str(labels[0]), str(labels[2])}
    assert near["probability"] == near["probabilities"][str(labels[0])]
    assert sum(near["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_all_three_forms_of_a_tensor_adapt_alike(http: httpx.Client) -> None:
    inputs, targets = np.float32([[1], [2], [3], [4]]), np.float32([2, 4, 6, 8])
    objects = {
        "inputs": {"datatype": "FP32", "shape": [4, 1], "data": inputs.ravel().tolist()},
        "targets": {"datatype": "FP32", "shape": [4], "data": targets.tolist()},
    }
    document = {
        "model": "line",
        "support": {"inputs": binary(inputs, "FP32"), "targets": binary(targets, "FP32")},
    }
    ids = [adapt(http)["id"], adapt(http, support=objects)["id"]]
    ids.append(http.post("/v1/adaptations", **framed(document, inputs, targets)).json()["id"])
    query = np.float32([[5], [6]])
    plain = [predict(http, adaptation, [5, 6]) for adaptation in ids]
    framed_query = framed({"inputs": binary(query, "FP32")}, query)
    last = http.post(f"/v1/adaptations/{ids[2]}/predictions", **framed_query).json()["predictions"]
    assert plain[0] == plain[1] == plain[2] == last


def test_a_frame_may_call_itself_json_or_nothing(http: httpx.Client) -> None:
    inputs = np.float32([[1], [2]])
    request = framed(
        {"model": "line", "support": {"inputs": binary(inputs, "FP32"), "targets": [1, 2]}}, inputs
    )
    length = request["headers"]["Inference-Header-Content-Length"]
    for headers in ({"Content-Type": "application/json"}, {}):
        headers = {**headers, "Inference-Header-Content-Length": length}
        answer = http.post("/v1/adaptations", content=request["content"], headers=headers)
        assert answer.status_code == 201, answer.text


def test_pictures_come_as_files_or_as_numbers(http: httpx.Client) -> None:
    pixels = np.zeros((4, 16, 16), np.uint8)
    pixels[2:, :, 8:] = 255
    files = []
    for picture in pixels:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        files.append({"b64": base64.b64encode(buffer.getvalue()).decode()})
    labels = ["dark", "dark", "half", "half"]
    by_file = adapt(http, model="pictures", support={"inputs": files, "targets": labels})
    document = {"model": "pictures", "support": {"inputs": binary(pixels, "UINT8"), "targets": labels}}
    by_number = http.post("/v1/adaptations", **framed(document, pixels)).json()
    scaled = (pixels / 255).tolist()
    assert predict(http, by_file["id"], files) == predict(http, by_number["id"], scaled)


def test_adapt_and_predict_in_one_call_answers_the_same_and_stores_nothing(http: httpx.Client) -> None:
    stored = predict(http, adapt(http)["id"], [5, 6])
    before = len(check_list(http.get("/v1/adaptations?limit=100")))
    answer = http.post("/v1/predictions", json={"model": "line", "support": LINE, "inputs": [5, 6]})
    assert answer.status_code == 200
    assert (answer.json()["adaptation"], answer.json()["revision"]) == (None, None)
    assert [one["value"] for one in answer.json()["predictions"]] == pytest.approx(
        [one["value"] for one in stored], rel=1e-4
    )
    assert len(check_list(http.get("/v1/adaptations?limit=100"))) == before


def test_no_support_asks_the_base_model(http: httpx.Client) -> None:
    answer = http.post("/v1/predictions", json={"model": "line", "support": None, "inputs": [5]})
    assert answer.status_code == 200, answer.text
    refused = http.post("/v1/predictions", json={"model": "points", "support": None, "inputs": [[1, 2, 3]]})
    check_problem(refused, 422, "/support")


def test_going_on_from_an_adaptation(http: httpx.Client) -> None:
    first = adapt(http, model="steps", options={"inner_steps": 2})
    answer = http.post("/v1/adaptations", json={"from": first["id"], "support": LINE})
    assert answer.status_code == 201, answer.text
    assert answer.json()["support_loss"] < first["support_loss"]
    closed_form = adapt(http)
    check_problem(
        http.post("/v1/adaptations", json={"from": closed_form["id"], "support": LINE}), 422, "/from"
    )
    check_problem(http.post("/v1/adaptations", json={"from": "adp_nope", "support": LINE}), 404)


@pytest.mark.parametrize(("model", "support"), [("steps", LINE), ("few-ways", POINTS)])
def test_going_on_in_one_call_answers_the_same_and_stores_nothing(
    http: httpx.Client, model: str, support: dict[str, Any]
) -> None:
    inputs = support["inputs"][:1]
    first = adapt(http, model=model, support=support)
    stored = http.post("/v1/adaptations", json={"from": first["id"], "support": support}).json()
    body = {"from": first["id"], "support": support, "inputs": inputs}
    at_once = http.post("/v1/predictions", json=body)
    assert at_once.status_code == 200, at_once.text
    assert at_once.json()["adaptation"] is None
    assert at_once.json()["predictions"] == predict(http, stored["id"], inputs)
    assert at_once.json()["predictions"] != predict(http, first["id"], inputs)
    for made in (first, stored):
        http.delete(f"/v1/adaptations/{made['id']}")
    check_problem(http.post("/v1/predictions", json=body), 404)
    check_problem(http.post("/v1/predictions", json={**body, "model": model}), 422, "/model")
    closed_form = adapt(http)["id"]
    check_problem(http.post("/v1/predictions", json={**body, "from": closed_form}), 422, "/from")


def test_options_are_those_that_the_version_lists(http: httpx.Client) -> None:
    version = http.get("/v1/models/steps/versions/1").json()
    assert "inner_steps" in version["learner"]["adjustable"]
    assert adapt(http, model="steps", options={"inner_steps": 3})["options"] == {"inner_steps": 3}
    for model, options in (
        ("steps", {"nope": 1}),
        ("steps", {"inner_steps": -1}),
        ("line", {"inner_steps": 1}),
    ):
        refused = http.post("/v1/adaptations", json={"model": model, "support": LINE, "options": options})
        check_problem(refused, 422, f"/options/{next(iter(options))}")


def test_get_list_and_delete(http: httpx.Client) -> None:
    made = [adapt(http, model="few-ways", support=POINTS) for _ in range(3)]
    got = http.get(f"/v1/adaptations/{made[0]['id']}")
    assert got.json() == made[0]
    assert (
        http.get(
            f"/v1/adaptations/{made[0]['id']}", headers={"If-None-Match": got.headers["etag"]}
        ).status_code
        == 304
    )
    first = http.get("/v1/adaptations?model=few-ways&limit=2")
    rest = http.get(f"/v1/adaptations?model=few-ways&limit=2&after={first.json()['next']}")
    listed = check_list(first) + check_list(rest)
    assert [one["id"] for one in listed] == [one["id"] for one in reversed(made)]
    path = f"/v1/adaptations/{made[0]['id']}"
    check_problem(http.delete(path, headers={"If-Match": '"2"'}), 412)
    check_problem(http.delete(path, headers={"If-Match": 'W/"1"'}), 412)
    check_problem(http.delete(path, headers={"If-Match": '"x", "2"'}), 412)
    deleted = http.delete(path, headers={"If-Match": '"7", "1"'})
    assert (deleted.status_code, deleted.content) == (204, b"")
    check_problem(http.get(path), 404)
    check_problem(http.delete(path), 404)
    check_problem(http.post(f"{path}/predictions", json={"inputs": POINTS["inputs"]}), 404)


def test_an_adaptation_ends_with_its_time_to_live(http: httpx.Client, service: Service) -> None:
    made = adapt(http, ttl_seconds=1)
    assert http.get(f"/v1/adaptations/{made['id']}").status_code == 200
    with service.services.database.write() as session:
        row = session.get_one(AdaptationRow, made["id"])
        row.expires_at = row.created_at
    check_problem(http.get(f"/v1/adaptations/{made['id']}"), 404)


def test_an_image_of_the_wrong_shape_is_named(http: httpx.Client) -> None:
    refused = http.post(
        "/v1/adaptations",
        json={"model": "pictures", "support": {"inputs": [{"b64": "aGVsbG8="}], "targets": ["a"]}},
    )
    check_problem(refused, 422, "/support/inputs/0")
