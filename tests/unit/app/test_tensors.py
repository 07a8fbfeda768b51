"""The three wire forms read back what was written, and every fault is named where it is."""

import base64
import json
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.requests.binary_frame import read_frame
from app.requests.tensors import read_inputs, read_targets
from services.errors import Invalid, Malformed

SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, max_side=5)
FLOATS = arrays.arrays(
    np.float32, SHAPES, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)


def inputs_of(value: Any) -> Any:
    return read_inputs(value, "/inputs", {})


def targets_of(value: Any) -> Any:
    return read_targets(value, "/support/targets", {})


def fault_of(read: Any, value: Any) -> tuple[str, str]:
    with pytest.raises(Invalid) as caught:
        read(value)
    return caught.value.faults[0]


def frame(tensor: dict[str, Any], data: bytes) -> Any:
    head = json.dumps({"inputs": tensor}).encode()
    document, attached = read_frame(head + data, str(len(head)))
    return read_inputs(document["inputs"], "/inputs", attached)


@given(FLOATS)
def test_every_form_of_a_tensor_reads_the_same(array: np.ndarray) -> None:
    nested = json.loads(json.dumps(array.tolist()))
    flat = {"datatype": "FP32", "shape": list(array.shape), "data": array.ravel().tolist()}
    binary = {
        "datatype": "FP32",
        "shape": list(array.shape),
        "parameters": {"binary_data_size": array.nbytes},
    }
    for read in (
        inputs_of(nested),
        inputs_of(flat),
        inputs_of({**flat, "data": nested}),
        frame(binary, array.tobytes()),
    ):
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, array)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=30,
)


@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for read in (inputs_of, targets_of):
        with suppress(Invalid, Malformed):
            result = read(value)
            assert not isinstance(result, np.ndarray) or np.isfinite(result).all()


@pytest.mark.parametrize(
    ("value", "pointer", "detail"),
    [
        ([[1], [2, 3]], "/inputs/1", "ragged"),
        ([[1, 2], [3, 4], 5], "/inputs/2", "ragged"),
        ([1, [2]], "/inputs/1", "a list where a number"),
        ([[[1], [2]], [[3], []]], "/inputs/1/1", "ragged"),
        ([[1.0, "x"]], "/inputs/0/1", "a string where a number"),
        ([1, True], "/inputs/1", "true or false"),
        ([1, None], "/inputs/1", "null"),
        ([0.0, float("nan")], "/inputs/1", "not a finite"),
        ([[0.0], [float("inf")]], "/inputs/1/0", "not a finite"),
        ([1, 1e39], "/inputs/1", "not a finite"),
        ([1, 10**400], "/inputs/1", "not a finite"),
        ([["a"]], "/inputs/0/0", "a string where a number"),
        ("text", "/inputs", "a string where a list"),
        (None, "/inputs", "null where a list"),
        ([[[[[[[[[1]]]]]]]]], "/inputs", "nested more than 8 deep"),
        ([{"b64": "?"}], "/inputs/0/b64", "not base64"),
        ([{"png": "aaaa"}], "/inputs/0", "b64"),
        ([{"b64": "aaaa"}, 1], "/inputs/0", "an object where a number"),
    ],
)
def test_a_faulty_list_is_refused_at_its_place(value: Any, pointer: str, detail: str) -> None:
    place, message = fault_of(inputs_of, value)
    assert place == pointer
    assert detail in message


@pytest.mark.parametrize(
    ("tensor", "pointer"),
    [
        ({"datatype": "FP32", "shape": [1000000000, 1], "data": [1]}, "/inputs/data"),
        ({"datatype": "FP32", "shape": [2**31 - 1] * 8, "data": [1]}, "/inputs/data"),
        ({"datatype": "FP32", "shape": [2**31, 0], "data": []}, "/inputs/shape"),
        ({"datatype": "FP32", "shape": [0, 2**31 - 1, 2**31 - 1, 2**31 - 1], "data": []}, "/inputs/shape"),
        ({"datatype": "FP32", "shape": [-1, 1], "data": [1]}, "/inputs/shape/0"),
        ({"datatype": "FP32", "shape": [1.0], "data": [1]}, "/inputs/shape/0"),
        ({"datatype": "FP32", "shape": [], "data": []}, "/inputs/shape"),
        ({"datatype": "FP32", "shape": [1] * 9, "data": [1]}, "/inputs/shape"),
        ({"datatype": "FP32", "shape": [2, 2], "data": [[1, 2, 3, 4]]}, "/inputs/data"),
        ({"datatype": "FP32", "shape": [2]}, "/inputs/data"),
        ({"datatype": "FP32", "shape": [1], "data": ["1"]}, "/inputs/data/0"),
        ({"datatype": "FP32", "shape": [1], "data": [1], "size": 4}, "/inputs/size"),
        ({"datatype": "FP128", "shape": [1], "data": [1]}, "/inputs/datatype"),
        ({"datatype": "UINT8", "shape": [1], "data": [256]}, "/inputs/data"),
        ({"datatype": "UINT8", "shape": [1], "data": [1.5]}, "/inputs/data/0"),
        ({"datatype": "INT64", "shape": [1], "data": [2**63]}, "/inputs/data"),
        ({"datatype": "BOOL", "shape": [1], "data": [1]}, "/inputs/data/0"),
        ({"datatype": "BYTES", "shape": [1], "data": [1]}, "/inputs/data/0"),
        ({"datatype": "BYTES", "shape": [1, 2], "data": ["a", "b"]}, "/inputs/shape"),
        ({"datatype": "FP64", "shape": [1], "data": [1e300]}, "/inputs/0"),
    ],
)
def test_a_faulty_tensor_object_is_refused_at_its_place(tensor: dict[str, Any], pointer: str) -> None:
    assert fault_of(inputs_of, tensor)[0] == pointer


def test_a_nested_object_may_leave_out_nothing_of_its_shape() -> None:
    read = inputs_of({"datatype": "FP32", "shape": [2, 2], "data": [[1, 2], [3, 4]]})
    np.testing.assert_array_equal(read, [[1, 2], [3, 4]])


def test_pictures_stay_bytes_whatever_form_they_come_in() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    tensor = {"datatype": "UINT8", "shape": [1, 2, 2, 3], "data": pixels.ravel().tolist()}
    assert inputs_of(tensor).dtype == np.uint8
    encoded = base64.b64encode(b"\x89PNG").decode()
    assert inputs_of([{"b64": encoded}]) == [b"\x89PNG"]
    assert inputs_of(["some", "text"]) == ["some", "text"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        ([1, 2], [1, 2]),
        ({"datatype": "BYTES", "shape": [2], "data": ["a", "b"]}, ["a", "b"]),
        ({"datatype": "BYTES", "shape": [2, 1], "data": ["a", "b"]}, ["a", "b"]),
        ({"datatype": "INT32", "shape": [2], "data": [1, 2]}, [1, 2]),
        ({"datatype": "INT64", "shape": [2, 1], "data": [1, 2]}, [1, 2]),
    ],
)
def test_labels_keep_their_kind(value: Any, expected: list[Any]) -> None:
    assert targets_of(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        [1, 2.5],
        [[1], [2]],
        {"datatype": "FP32", "shape": [2], "data": [1, 2]},
        {"datatype": "INT64", "shape": [1, 2], "data": [1, 2]},
    ],
)
def test_numbers_that_are_no_labels_become_an_array(value: Any) -> None:
    read = targets_of(value)
    assert isinstance(read, np.ndarray)
    assert read.dtype == np.float32


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        (["a", 1], "/support/targets/1"),
        ([1, "a"], "/support/targets/1"),
        ([1, 2**63], "/support/targets/1"),
        ([True, False], "/support/targets/0"),
        ({"datatype": "BOOL", "shape": [1], "data": [True]}, "/support/targets/datatype"),
    ],
)
def test_faulty_targets_are_refused_at_their_place(value: Any, pointer: str) -> None:
    assert fault_of(targets_of, value)[0] == pointer


def test_binary_labels_are_texts_and_have_to_be_utf8() -> None:
    def read(*labels: bytes) -> Any:
        data = b"".join(struct.pack("<I", len(label)) + label for label in labels)
        tensor = {
            "datatype": "BYTES",
            "shape": [len(labels)],
            "parameters": {"binary_data_size": len(data)},
        }
        return read_targets(tensor, "/support/targets", {"/support/targets": memoryview(data)})

    assert read("é".encode(), b"") == ["é", ""]
    with pytest.raises(Invalid):
        read(b"\xff")
