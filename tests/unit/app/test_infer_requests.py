"""Requests of the Open Inference Protocol: its verified vector, both forms, and every violation."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from app.requests.binary_frame import listed_tensors, read_frame
from app.requests.infer_requests import InferQuery, read_infer_request, read_raw_request
from models.spec import TensorSpec
from services.errors import Invalid, Malformed, ServiceError

VECTOR_HEAD = (
    b'{"id":"q1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],'
    b'"parameters":{"binary_data_output":true}}'
)
VECTOR_TAIL = bytes.fromhex("0000803f000000c0")


def read(document: Any, data: bytes = b"", header: bool = True) -> InferQuery:
    head = json.dumps(document).encode()
    return read_infer_request(head + data, str(len(head)) if header else None)


def tensor(**changes: Any) -> dict[str, Any]:
    given = {"name": "inputs", "datatype": "FP32", "shape": [2, 1], "data": [1, 2], **changes}
    return {name: value for name, value in given.items() if value is not None}


def binary(size: int, **changes: Any) -> dict[str, Any]:
    return tensor(data=None, parameters={"binary_data_size": size}, **changes)


def numbers(query: InferQuery) -> Any:
    assert isinstance(query.inputs, np.ndarray)
    return query.inputs.tolist()


def test_the_vector_is_taken_apart() -> None:
    assert (len(VECTOR_HEAD), len(VECTOR_TAIL)) == (144, 8)
    document, attached = read_frame(VECTOR_HEAD + VECTOR_TAIL, "144", listed_tensors)
    assert {pointer: bytes(data) for pointer, data in attached.items()} == {"/inputs/0": VECTOR_TAIL}
    assert document["id"] == "q1"


def test_the_vector_is_a_query_of_our_own_input() -> None:
    head = VECTOR_HEAD.replace(b'"x"', b'"inputs"')
    query = read_infer_request(head + VECTOR_TAIL, str(len(head)))
    assert numbers(query) == [[1.0, -2.0]]
    assert (query.id, query.outputs, query.binary) == ("q1", None, True)


@pytest.mark.parametrize("data", [[1, 2], [[1], [2]]])
@pytest.mark.parametrize("header", [True, False])
def test_json_may_be_flat_or_nested_and_have_the_header_or_not(data: Any, header: bool) -> None:
    query = read({"inputs": [tensor(data=data)]}, header=header)
    assert numbers(query) == [[1], [2]]
    assert (query.id, query.outputs, query.binary) == (None, None, False)


def test_what_the_protocol_does_not_define_is_ignored() -> None:
    document = {
        "inputs": [tensor(parameters={"content_type": "np"}, extra=[1])],
        "parameters": {"priority": 1, "timeout": 1.5, "mine": "x", "sequence_end": False},
        "outputs": [{"name": "value", "parameters": {"mine": True}, "extra": {}}],
        "model_name": "m",
    }
    query = read(document)
    assert query.outputs is not None
    assert [output.name for output in query.outputs] == ["value"]


def test_null_is_what_was_left_out() -> None:
    given = {**binary(8), "data": None}
    document = {
        "id": None,
        "inputs": [given],
        "parameters": None,
        "outputs": [{"name": "value", "parameters": None}],
    }
    assert numbers(read(document, np.float32([1, 2]).tobytes())) == [[1], [2]]
    assert numbers(read({"inputs": [{**tensor(), "parameters": None}], "outputs": None})) == [[1], [2]]
    assert numbers(read({"inputs": [tensor(parameters={"binary_data_size": None})]})) == [[1], [2]]


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": [1] * 100},
        {"inputs": [tensor()], "outputs": [1] * 100},
        {"inputs": [tensor(shape=["a"] * 100)]},
        {"inputs": [tensor(parameters={str(i): [] for i in range(100)})]},
    ],
)
def test_of_many_faults_of_a_kind_the_first_is_told(document: Any) -> None:
    with pytest.raises(Invalid) as caught:
        read(document)
    assert len(caught.value.faults) == 1


def test_an_object_of_very_many_members_is_refused() -> None:
    with pytest.raises(Invalid, match="5000 members"):
        read({"inputs": [tensor()], "parameters": {str(i): [] for i in range(5000)}})


def test_no_outputs_are_all_outputs() -> None:
    assert read({"inputs": [tensor()], "outputs": []}).outputs is None


@pytest.mark.parametrize(
    ("datatype", "dtype"),
    [("FP16", "<f2"), ("FP64", "<f8"), ("INT8", "i1"), ("UINT16", "<u2"), ("INT64", "<i8"), ("BOOL", "?")],
)
def test_other_numbers_become_float32(datatype: str, dtype: str) -> None:
    data = np.array([[1], [0]]).astype(dtype).tobytes()
    query = read({"inputs": [binary(len(data), datatype=datatype)]}, data)
    assert isinstance(query.inputs, np.ndarray)
    assert query.inputs.dtype == np.float32
    assert query.inputs.tolist() == [[1], [0]]


def test_pixels_stay_bytes_and_files_come_as_bytes_elements() -> None:
    pixels = read({"inputs": [binary(2, datatype="UINT8")]}, b"\x00\xff")
    assert isinstance(pixels.inputs, np.ndarray)
    assert pixels.inputs.dtype == np.uint8
    file = b"\x04\0\0\0\x89PNG"
    assert read({"inputs": [binary(8, datatype="BYTES", shape=[1])]}, file).inputs == [b"\x89PNG"]


@pytest.mark.parametrize(
    ("document", "data"),
    [
        ({"inputs": [binary(4)]}, bytes(4)),
        ({"inputs": [binary(8)]}, bytes(7)),
        ({"inputs": [binary(8)]}, bytes(9)),
        ({"inputs": [binary(12)]}, bytes(12)),
        ({"inputs": [binary(0)]}, b""),
        ({"inputs": [binary(-1)]}, b""),
        ({"inputs": [tensor(parameters={"binary_data_size": 8})]}, bytes(8)),
        ({"inputs": [binary(5, datatype="BYTES", shape=[2])]}, b"\x01\0\0\0a"),
        ({"inputs": [binary(9, datatype="BYTES", shape=[1])]}, b"\x01\0\0\0a\0\0\0\0"),
        ({"inputs": [binary(6, datatype="BYTES", shape=[1])]}, b"\x01\0\0\0ab"),
        ({"inputs": [tensor()]}, b"x"),
    ],
)
def test_a_frame_that_contradicts_itself_is_malformed(document: Any, data: bytes) -> None:
    with pytest.raises(Malformed):
        read(document, data)


@pytest.mark.parametrize("header", ["", "-1", "1e2", "9" * 13, "145", "x"])
def test_a_header_that_cannot_be_is_malformed(header: str) -> None:
    with pytest.raises(Malformed):
        read_infer_request(VECTOR_HEAD, header)


@pytest.mark.parametrize("tensors", [[binary(8)], [tensor(parameters={"binary_data_size": 8})]])
def test_a_binary_tensor_needs_the_header(tensors: list[Any]) -> None:
    with pytest.raises(Malformed, match="Inference-Header-Content-Length"):
        read({"inputs": tensors}, header=False)


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ([], ""),
        ({}, "/inputs"),
        ({"inputs": tensor()}, "/inputs"),
        ({"inputs": []}, "/inputs"),
        ({"inputs": [tensor(), tensor()]}, "/inputs"),
        ({"inputs": [tensor(name="x")]}, "/inputs"),
        ({"inputs": [tensor(name=None)]}, "/inputs/0/name"),
        ({"inputs": [tensor(data=None)]}, "/inputs/0/data"),
        ({"inputs": [tensor(data=[1])]}, "/inputs/0/data"),
        ({"inputs": [tensor(data=[1, "x"])]}, "/inputs/0/data/1"),
        ({"inputs": [tensor(shape=[-1, 1])]}, "/inputs/0/shape/0"),
        ({"inputs": [tensor(shape=[0, 2**31 - 1, 2**31 - 1, 2**31 - 1], data=[])]}, "/inputs/0/shape"),
        ({"inputs": [tensor(shape=[2**31 - 1] * 8)]}, "/inputs/0/data"),
        ({"inputs": [tensor(datatype="BF16")]}, "/inputs/0/datatype"),
        ({"inputs": [tensor(datatype="STRING")]}, "/inputs/0/datatype"),
        ({"inputs": [tensor(parameters={"a": {"b": 1}})]}, "/inputs/0/parameters"),
        ({"inputs": [tensor()], "parameters": {"a": [1]}}, "/parameters"),
        ({"inputs": [tensor()], "parameters": {"binary_data_output": 1}}, "/parameters/binary_data_output"),
        ({"inputs": [tensor()], "id": 5}, "/id"),
        ({"inputs": [tensor()], "outputs": ["value"]}, "/outputs/0"),
        (
            {"inputs": [tensor()], "outputs": [{"name": "value", "parameters": {"binary_data": "yes"}}]},
            "/outputs/0/parameters/binary_data",
        ),
        (
            {"inputs": [tensor()], "outputs": [{"name": "value", "parameters": {"classification": -1}}]},
            "/outputs/0/parameters/classification",
        ),
    ],
)
def test_an_invalid_document_is_refused_at_its_place(document: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(document)
    assert caught.value.faults[0].pointer == pointer


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": [tensor(data=None, parameters={"shared_memory_region": "r"})]},
        {"inputs": [tensor()], "outputs": [{"name": "value", "parameters": {"shared_memory_region": "r"}}]},
    ],
)
def test_shared_memory_is_not_supported(document: Any) -> None:
    with pytest.raises(HTTPException) as caught:
        read(document)
    assert caught.value.status_code == 501


def test_a_raw_request_is_one_example() -> None:
    query = read_raw_request(VECTOR_TAIL, TensorSpec(datatype="FP32", shape=(-1, 2)))
    assert numbers(query) == [[1.0, -2.0]]
    assert (query.id, query.outputs, query.binary) == (None, None, True)
    pixels = read_raw_request(bytes(range(4)), TensorSpec(datatype="UINT8", shape=(-1, 2, 2, 1)))
    assert numbers(pixels) == [[[[0], [1]], [[2], [3]]]]
    texts = TensorSpec(datatype="BYTES", shape=(-1,))
    assert read_raw_request("é".encode(), texts).inputs == ["é"]
    for spec, body in ((texts, b"\xff"), (TensorSpec(datatype="FP32", shape=(-1, 3)), VECTOR_TAIL)):
        with pytest.raises(Malformed):
            read_raw_request(body, spec)


@given(st.binary(max_size=80), st.integers(0, 100))
def test_any_bytes_are_read_or_refused(body: bytes, length: int) -> None:
    with suppress(ServiceError):
        read_infer_request(body, str(length))
