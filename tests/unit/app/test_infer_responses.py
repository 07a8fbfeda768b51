"""Answers of the Open Inference Protocol: its verified vector to the byte, and every way to ask for outputs."""

import json
from typing import Any

import numpy as np
import pytest
from starlette.responses import Response

from app.requests.infer_requests import InferQuery
from app.responses.infer_outputs import Output, outputs_of
from app.responses.infer_responses import encode, infer_response
from innerloop.schemas.inference import RequestedOutput
from services.adaptation.records import Classes, PredictionBatch
from services.errors import Invalid

VECTOR_HEAD = (
    b'{"model_name":"m","model_version":"3","id":"q1","outputs":[{"name":"probabilities","shape":[1,2],'
    b'"datatype":"FP32","parameters":{"binary_data_size":8}},{"name":"label","shape":[1],"datatype":"BYTES",'
    b'"parameters":{"binary_data_size":7}}]}'
)
VECTOR_TAIL = bytes.fromhex("0000403f0000803e03000000636174")
INPUTS = np.zeros((2, 1), np.float32)


def batch(**changes: Any) -> PredictionBatch:
    plain: dict[str, Any] = {
        "adaptation": "adp_1",
        "revision": 3,
        "model": "m",
        "version": 1,
        "task": "regression",
        "classes": None,
        "target_width": 1,
    }
    return PredictionBatch(**{**plain, **changes})


def classified(classes: Classes, rows: Any = ((0.75, 0.25, 0.0), (0.0625, 0.0625, 0.875))) -> PredictionBatch:
    probabilities = np.array(rows, np.float32)
    return batch(task="classification", classes=classes, target_width=0, probabilities=probabilities)


PETS = classified(["cat", "dög", ""])
VALUES = batch(values=np.array([[0.5], [1.5]], np.float32), stds=np.array([[2.0], [3.0]], np.float32))


def wanted(*outputs: dict[str, Any], **changes: Any) -> InferQuery:
    requested = [RequestedOutput.model_validate(output, strict=True) for output in outputs]
    return InferQuery(INPUTS, outputs=requested, **changes)


def taken_apart(response: Response) -> tuple[dict[str, Any], bytes]:
    length = int(response.headers.get("inference-header-content-length", len(response.body)))
    return json.loads(bytes(response.body[:length])), bytes(response.body[length:])


def data_of(response: Response) -> dict[str, Any]:
    document, behind = taken_apart(response)
    assert behind == b""
    return {output["name"]: output["data"] for output in document["outputs"]}


def test_the_vector_is_written_to_the_byte() -> None:
    outputs = outputs_of(classified(["cat", "dog"], [[0.75, 0.25]]))
    response = encode("m", "3", "q1", [(output, True) for output in outputs.values()])
    assert len(VECTOR_HEAD) == 237
    assert response.body == VECTOR_HEAD + VECTOR_TAIL
    assert len(response.body) == 252
    assert response.headers["inference-header-content-length"] == "237"
    assert response.headers["content-type"] == "application/octet-stream"


def test_all_outputs_as_json_unless_asked_otherwise() -> None:
    response = infer_response(VALUES, InferQuery(INPUTS))
    assert response.headers["content-type"] == "application/json"
    assert "inference-header-content-length" not in response.headers
    assert json.loads(bytes(response.body)) == {
        "model_name": "adp_1",
        "model_version": "3",
        "outputs": [
            {"name": "value", "shape": [2, 1], "datatype": "FP32", "data": [0.5, 1.5]},
            {"name": "std", "shape": [2, 1], "datatype": "FP32", "data": [2.0, 3.0]},
        ],
    }


def test_the_id_is_echoed_whatever_it_is() -> None:
    for request_id in ("q1", ""):
        document, _ = taken_apart(infer_response(VALUES, InferQuery(INPUTS, id=request_id)))
        assert document["id"] == request_id


def test_a_learner_without_std_answers_none() -> None:
    assert list(outputs_of(batch(values=VALUES.values))) == ["value"]


def test_labels_are_texts_or_integers_as_they_came() -> None:
    assert data_of(infer_response(PETS, wanted({"name": "label"}))) == {"label": ["cat", ""]}
    response = infer_response(classified([2**40, -1, 7]), wanted({"name": "label"}))
    document, _ = taken_apart(response)
    assert document["outputs"] == [{"name": "label", "shape": [2], "datatype": "INT64", "data": [2**40, 7]}]
    binary = infer_response(classified([2**40, -1, 7]), wanted({"name": "label"}, binary=True))
    assert taken_apart(binary)[1] == np.array([2**40, 7], "<i8").tobytes()


@pytest.mark.parametrize(
    ("own", "whole", "binary"),
    [(None, False, False), (None, True, True), (True, False, True), (False, True, False)],
)
def test_an_output_says_itself_whether_it_is_binary(own: bool | None, whole: bool, binary: bool) -> None:
    parameters = {} if own is None else {"binary_data": own}
    response = infer_response(VALUES, wanted({"name": "value", "parameters": parameters}, binary=whole))
    document, behind = taken_apart(response)
    (output,) = document["outputs"]
    assert ("parameters" in output, "data" in output) == (binary, not binary)
    assert behind == (np.array([0.5, 1.5], "<f4").tobytes() if binary else b"")


def test_json_and_binary_outputs_mix_in_the_order_asked_for() -> None:
    query = wanted({"name": "label", "parameters": {"binary_data": True}}, {"name": "probabilities"})
    document, behind = taken_apart(infer_response(PETS, query))
    assert [output["name"] for output in document["outputs"]] == ["label", "probabilities"]
    assert document["outputs"][0]["parameters"] == {"binary_data_size": 11}
    assert document["outputs"][1]["data"] == [0.75, 0.25, 0.0, 0.0625, 0.0625, 0.875]
    assert behind == b"\x03\0\0\0cat\0\0\0\0"


def top(k: int) -> dict[str, Any]:
    return {"name": "probabilities", "parameters": {"classification": k}}


def test_classification_gives_the_highest_first_and_the_earlier_of_equals() -> None:
    document, _ = taken_apart(infer_response(PETS, wanted(top(2))))
    assert document["outputs"] == [
        {
            "name": "probabilities",
            "shape": [2, 2],
            "datatype": "BYTES",
            "data": ["0.75:0:cat", "0.25:1:dög", "0.875:2:", "0.0625:0:cat"],
        }
    ]


@pytest.mark.parametrize(("k", "width"), [(1, 1), (3, 3), (99, 3)])
def test_classification_gives_as_many_as_there_are(k: int, width: int) -> None:
    document, _ = taken_apart(infer_response(PETS, wanted(top(k), binary=True)))
    assert document["outputs"][0]["shape"] == [2, width]


def test_classification_of_nothing_is_the_output_itself() -> None:
    assert data_of(infer_response(PETS, wanted(top(0))))["probabilities"][0] == 0.75


def test_classification_of_values_has_no_labels() -> None:
    query = wanted({"name": "value", "parameters": {"classification": 1}})
    assert data_of(infer_response(VALUES, query)) == {"value": ["0.5:0", "1.5:0"]}


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        (wanted({"name": "value"}), "/outputs/0/name"),
        (wanted({"name": "label"}, {"name": "nope"}), "/outputs/1/name"),
        (wanted({"name": "label"}, {"name": "label"}), "/outputs/1/name"),
        (wanted({"name": "label", "parameters": {"classification": 1}}), "/outputs/0"),
    ],
)
def test_an_output_that_there_is_not_is_refused(query: InferQuery, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        infer_response(PETS, query)
    assert caught.value.faults[0].pointer == pointer


def test_bytes_are_little_endian_and_row_major_whatever_the_array() -> None:
    numbers = np.asfortranarray(np.array([[1, 2], [3, 4]], ">f4"))
    response = encode("m", "1", None, [(Output("value", "FP32", (2, 2), numbers), True)])
    assert taken_apart(response)[1] == np.array([1, 2, 3, 4], "<f4").tobytes()
