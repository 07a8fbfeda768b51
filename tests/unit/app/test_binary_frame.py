"""The binary form: the verified vector of the protocol, tensors in document order, and every contradiction."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.requests.binary_frame import read_frame
from app.requests.tensors import read_inputs, read_targets
from services.errors import Malformed


def binary(size: int, shape: list[int], datatype: str = "FP32") -> dict[str, Any]:
    return {"datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}


def framed(document: Any, data: bytes) -> tuple[bytes, str]:
    head = json.dumps(document).encode()
    return head + data, str(len(head))


def test_tensors_follow_in_document_order() -> None:
    document = {
        "inputs": binary(4, [1, 1]),
        "support": {"targets": binary(8, [2], "INT32"), "inputs": binary(8, [2, 1])},
    }
    data = np.float32([1]).tobytes() + np.array([7, 8], np.int32).tobytes() + np.float32([2, 3]).tobytes()
    read, attached = read_frame(*framed(document, data))
    assert read_inputs(read["inputs"], "/inputs", attached).tolist() == [[1]]
    assert read_targets(read["support"]["targets"], "/support/targets", attached) == [7, 8]
    assert read_inputs(read["support"]["inputs"], "/support/inputs", attached).tolist() == [[2], [3]]


def test_classes_without_examples_are_a_tensor_of_texts_too() -> None:
    document = {"support": {"classes": binary(12, [2], "BYTES")}}
    data = b"".join(len(one).to_bytes(4, "little") + one for one in (b"no", b"si"))
    read, attached = read_frame(*framed(document, data))
    assert read_targets(read["support"]["classes"], "/support/classes", attached) == ["no", "si"]


def test_json_and_binary_tensors_mix() -> None:
    document = {"support": {"inputs": binary(8, [2, 1]), "targets": ["a", "b"]}}
    _, attached = read_frame(*framed(document, bytes(8)))
    assert list(attached) == ["/support/inputs"]


def test_what_only_looks_like_a_tensor_takes_no_bytes() -> None:
    document = {"metadata": binary(8, [2]), "inputs": binary(4, [1])}
    _, attached = read_frame(*framed(document, bytes(4)))
    assert list(attached) == ["/inputs"]


@pytest.mark.parametrize(
    ("document", "data", "header"),
    [
        ({"inputs": binary(8, [2])}, bytes(4), None),
        ({"inputs": binary(8, [2])}, bytes(12), None),
        ({"inputs": binary(-8, [2])}, bytes(8), None),
        ({"inputs": binary(True, [2])}, bytes(1), None),
        ({"inputs": {**binary(8, [2]), "data": [1, 2]}}, bytes(8), None),
        ({"inputs": [1]}, b"x", None),
        ({"inputs": [1]}, b"", "0"),
        ({"inputs": [1]}, b"", "999"),
        ({"inputs": [1]}, b"", "-1"),
        ({"inputs": [1]}, b"", "1e1"),
        ({"inputs": [1]}, b"", "٣"),
        ({"inputs": [1]}, b"", ""),
        ({"inputs": [1]}, b"", "9" * 5000),
        ([], b"x", None),
    ],
)
def test_a_frame_that_contradicts_itself_is_malformed(document: Any, data: bytes, header: str | None) -> None:
    body, length = framed(document, data)
    with pytest.raises(Malformed):
        read_frame(body, length if header is None else header)


@pytest.mark.parametrize(
    ("tensor", "data"),
    [
        (binary(8, [3]), bytes(8)),
        (binary(8, [2, 2]), bytes(8)),
        (binary(8, [0]), bytes(8)),
        (binary(5, [1], "BYTES"), b"\x02\0\0\0a"),
        (binary(3, [1], "BYTES"), b"\x02\0\0"),
        (binary(5, [2], "BYTES"), b"\x01\0\0\0a"),
        (binary(5, [0], "BYTES"), b"\x01\0\0\0a"),
    ],
)
def test_bytes_that_contradict_their_tensor_are_malformed(tensor: dict[str, Any], data: bytes) -> None:
    read, attached = read_frame(*framed({"inputs": tensor}, data))
    with pytest.raises(Malformed):
        read_inputs(read["inputs"], "/inputs", attached)


def test_a_binary_tensor_needs_the_header() -> None:
    with pytest.raises(Malformed, match="Inference-Header-Content-Length"):
        read_inputs(binary(4, [1]), "/inputs", {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"\xff\xfe{}",
        b'{"a":1} {}',
        b'{"a":' + b"[" * 100_000,
        b"nul",
    ],
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="not JSON"):
        read_frame(body, None)


@given(st.binary(max_size=80), st.integers(0, 100))
def test_any_bytes_are_read_or_malformed(body: bytes, length: int) -> None:
    with suppress(Malformed):
        assert sum(map(len, read_frame(body, str(length)).attached.values())) == len(body) - length
