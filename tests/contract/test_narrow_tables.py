"""Tables of fewer columns than their base's over HTTP: what they are answered, and what is refused."""

from typing import Any

import httpx
import numpy as np
import pytest

from innerloop import Client, InvalidRequest
from tests import small_models
from tests.contract.adaptations import adapt, binary, framed, predict
from tests.contract.conftest import Service
from tests.contract.shapes import check_inference_error, check_list, check_problem

COLUMNS = 4
ROWS = [[0.1, 5000], [0.2, 5100], [0.8, 4900], [0.9, 4800]]
LABELS = ["a", "a", "b", "b"]
QUERY = [[0.15, 5050], [0.7, 4950]]


def widened(rows: list[list[float]]) -> list[list[float]]:
    """By hand, to as many as the base has."""
    return [[*row, *[0.0] * (COLUMNS - len(row))] for row in rows]


@pytest.fixture
def http(own_service: Service) -> httpx.Client:
    registry = own_service.services.registry
    registry.publish("classes", small_models.table_heads())
    registry.publish("numbers", small_models.table_heads(small_models.LINE.targets))
    registry.publish("points", small_models.points_protonet())
    return httpx.Client(base_url=own_service.url, timeout=30)


def support(inputs: Any, targets: Any = LABELS) -> dict[str, Any]:
    return {"inputs": inputs, "targets": targets}


def test_fewer_columns_are_answered_as_with_zeros_behind(http: httpx.Client) -> None:
    with http:
        made = adapt(http, model="classes", support=support(ROWS))
        by_hand = adapt(http, model="classes", support=support(widened(ROWS)))
        assert (made["n_columns"], by_hand["n_columns"]) == (2, COLUMNS)
        assert check_list(http.get("/v1/adaptations")) == [by_hand, made]
        expected = predict(http, by_hand["id"], widened(QUERY))
        assert predict(http, made["id"], QUERY) == expected

        document = {"inputs": binary(np.array(QUERY, np.float32), "FP32")}
        framed_query = framed(document, np.array(QUERY, np.float32))
        answer = http.post(f"/v1/adaptations/{made['id']}/predictions", **framed_query)
        assert answer.json()["predictions"] == expected

        call = {"model": "classes", "support": support(ROWS), "inputs": QUERY}
        at_once = http.post("/v1/predictions", json=call).json()
        for found, one in zip(at_once["predictions"], expected, strict=True):
            assert found["probabilities"] == pytest.approx(one["probabilities"], abs=1e-6)

        model = f"/v2/models/{made['id']}"
        assert http.get(model).json()["inputs"][0]["shape"] == [-1, 2]
        tensor = {"name": "inputs", "shape": [2, 2], "datatype": "FP32", "data": QUERY}
        outputs = http.post(f"{model}/infer", json={"inputs": [tensor]}).json()["outputs"]
        probabilities = [one["probabilities"]["a"] for one in expected]
        assert outputs[0]["data"][::2] == pytest.approx(probabilities, abs=1e-6)
        raw = http.post(
            f"{model}/infer",
            content=np.array(QUERY[0], np.float32).tobytes(),
            headers={"Inference-Header-Content-Length": "0"},
        )
        assert raw.status_code == 200, raw.text

        learners = [
            http.get(f"/v1/models/{name}/versions/1").json()["learner"] for name in ("classes", "points")
        ]
        assert [learner["takes_fewer_columns"] for learner in learners] == [True, False]


def test_a_table_may_have_one_column_and_no_rows(http: httpx.Client) -> None:
    with http:
        made = adapt(http, model="numbers", support=support([1, 2, 3, 4], [2.0, 4.0, 6.0, 8.0]))
        assert made["n_columns"] == 1
        assert predict(http, made["id"], [5]) == predict(http, made["id"], [[5]])
        for inputs in ([[1]], [[1, 2, 3]], widened(QUERY)):
            answer = http.post(
                "/v1/predictions", json={"model": "numbers", "support": None, "inputs": inputs}
            )
            assert answer.status_code == 200, answer.text


def test_other_widths_are_refused_with_what_they_have_to_be(http: httpx.Client) -> None:
    with http:
        for inputs, place, detail in (
            ([[]] * 4, "/support/inputs", "shape [0]; this model takes 1 to 4 numbers each"),
            ([[1, 2, 3, 4, 5]] * 4, "/support/inputs", "shape [5]; this model takes 1 to 4 numbers each"),
            ([[[1, 2]]] * 4, "/support/inputs", "shape [1, 2]; this model takes 1 to 4 numbers each"),
            (
                [*ROWS[:3], [1]],
                "/support/inputs/3",
                "1 items where the first row has 2: the lists are ragged",
            ),
            ([[1, "red"]] * 4, "/support/inputs/0/1", "a string where a number is expected"),
            (["red", "blue", "red", "blue"], "/support/inputs", "texts; this model takes numbers"),
        ):
            refused = http.post("/v1/adaptations", json={"model": "classes", "support": support(inputs)})
            assert detail in check_problem(refused, 422, place)["errors"][0]["detail"]
        assert check_list(http.get("/v1/adaptations")) == []

        made = adapt(http, model="classes", support=support(ROWS))
        model = f"/v2/models/{made['id']}"
        for inputs, shape in (
            ([[]], [0]),
            ([[1]], [1]),
            ([1], []),
            ([[1, 2, 3]], [3]),
            (widened(QUERY), [4]),
        ):
            detail = f"an example of shape {shape}; the adaptation has 2 columns, as its support set had"
            refused = http.post(f"/v1/adaptations/{made['id']}/predictions", json={"inputs": inputs})
            assert check_problem(refused, 422, "/inputs")["errors"][0]["detail"] == detail
            call = {"model": "classes", "support": support(ROWS), "inputs": inputs}
            refused = http.post("/v1/predictions", json=call)
            assert check_problem(refused, 422, "/inputs")["errors"][0]["detail"] == detail
            if shape:
                tensor = {
                    "name": "inputs",
                    "shape": [len(inputs), *shape],
                    "datatype": "FP32",
                    "data": inputs,
                }
                refused = http.post(f"{model}/infer", json={"inputs": [tensor]})
                assert detail in check_inference_error(refused, 400)
        raw = {"content": bytes(16), "headers": {"Inference-Header-Content-Length": "0"}}
        check_inference_error(http.post(f"{model}/infer", **raw), 400)
        ragged = http.post(f"/v1/adaptations/{made['id']}/predictions", json={"inputs": [[1, 2], [1]]})
        check_problem(ragged, 422, "/inputs/1")

        # Others take what their signature says.
        refused = http.post("/v1/adaptations", json={"model": "points", "support": support(ROWS)})
        assert "takes 3 numbers each" in check_problem(refused, 422, "/support/inputs")["detail"]


def test_the_sdk_sends_what_there_is(http: httpx.Client, own_service: Service) -> None:
    with http, Client(own_service.url, max_retries=0) as client:
        made = client.adapt("classes", np.array(ROWS), LABELS)
        assert made.n_columns == 2
        assert made.predict(QUERY).labels == made.predict(np.array(QUERY, np.float32)).labels
        with pytest.raises(InvalidRequest, match="the adaptation has 2 columns"):
            made.predict([[1, 2, 3]])
        assert len(client.adapt_and_predict("classes", ROWS, LABELS, QUERY).labels) == 2
