import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from innerloop import InvalidInput, nested


@given(hnp.arrays(np.int64, hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)))
def test_flatten_and_rebuild_agree_with_numpy(values):
    shape, leaves = nested.flatten(values.tolist(), "inputs")
    assert shape == values.shape
    assert leaves == values.ravel().tolist()
    assert nested.rebuild(leaves, shape) == values.tolist()


def flat_numbers(values):
    shape, leaves = nested.flatten(values, "inputs")
    return nested.numbers(leaves, shape, "inputs")


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ([[1.0, 2.0], [3.0]], r"inputs\[1\] has length 1, but inputs\[0\] has length 2"),
        ([[1.0], 2.0], r"inputs\[1\] is 2.0, but inputs\[0\] is a list"),
        ([1.0, [2.0]], r"inputs\[1\] is a list, but inputs\[0\] is a number"),
        ([[[1], [2]], [[3], [4, 5]]], r"inputs\[1\]\[1\] has length 2"),
        ([[1.0, None]], r"inputs\[0\]\[1\] is NoneType"),
        ([[1.0], ["a"]], r"inputs\[1\]\[0\] is str: .* a kind is sent as its index"),
        ([1.0, math.nan], r"inputs\[1\] is nan"),
        ([[0.0, -math.inf]], r"inputs\[0\]\[1\] is -inf"),
        ([[0.0, {"b64": ""}]], r"inputs\[0\]\[1\] is dict"),
    ],
)
def test_faults_name_their_place(values, place):
    with pytest.raises(InvalidInput, match=place):
        flat_numbers(values)


def test_invalid_input_is_a_value_error():
    with pytest.raises(ValueError, match="length"):
        nested.flatten([[1], [2, 3]], "inputs")


@given(st.lists(st.booleans(), min_size=1))
def test_booleans_are_zeros_and_ones(values):
    assert nested.numbers(values, (len(values),), "inputs") == [float(value) for value in values]


def test_scalars_of_libraries_are_unwrapped():
    numbers = nested.numbers([np.float32(0.5), np.int16(3), 2], (3,), "inputs")
    assert numbers == [0.5, 3, 2]
    assert [type(number) for number in numbers] == [float, int, int]
