"""BYTES tensors: the protocol's own vector, what was written is read back, and every cut is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.byte_elements import decode_elements, encode_elements
from services.errors import Malformed

VECTOR = bytes.fromhex("02000000c3a900000000")


def test_the_vector_of_the_protocol() -> None:
    assert encode_elements(["é".encode(), b""]) == VECTOR
    assert decode_elements(memoryview(VECTOR), "/inputs/0") == ["é".encode(), b""]


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_what_was_written_is_read_back(elements: list[bytes]) -> None:
    assert decode_elements(memoryview(encode_elements(elements)), "") == elements


@pytest.mark.parametrize("data", [VECTOR[:-1], VECTOR[:5], VECTOR[:2], VECTOR + b"\0", b"\xff" * 4])
def test_an_element_that_is_cut_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed, match="/inputs/0"):
        decode_elements(memoryview(data), "/inputs/0")
