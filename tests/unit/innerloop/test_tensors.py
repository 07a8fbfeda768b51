import base64
import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from innerloop import InvalidInput
from innerloop.arrays import Tensor
from innerloop.tensors import pack_inputs, pack_targets

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)
FLOATS = hnp.arrays(np.float32, SHAPES, elements=st.floats(-1e6, 1e6, width=32))
INTEGERS = hnp.arrays(np.int64, SHAPES)
DTYPES = {"FP32": "<f4", "INT64": "<i8", "UINT8": "u1"}


def unpacked(tensor):
    assert isinstance(tensor, Tensor)
    return np.frombuffer(tensor.data, DTYPES[tensor.datatype]).reshape(tensor.shape)


def as_rows(values):
    return values[:, None] if values.ndim == 1 else values


@given(FLOATS)
def test_floats_cross_bit_for_bit_from_any_source(values):
    for source in (
        values,
        values.astype(np.float64),
        values.tolist(),
        torch.from_numpy(values),
        list(values),
    ):
        tensor = pack_inputs(source, "inputs")
        assert tensor.datatype == "FP32"
        np.testing.assert_array_equal(unpacked(tensor), as_rows(values))


@given(INTEGERS)
def test_integers_cross_as_int64_from_any_source(values):
    for source in (values, values.tolist(), torch.from_numpy(values)):
        tensor = pack_inputs(source, "inputs")
        assert tensor.datatype == "INT64"
        np.testing.assert_array_equal(unpacked(tensor), as_rows(values))


@given(hnp.arrays(np.uint8, SHAPES))
def test_bytes_of_images_stay_uint8(values):
    for source in (values, torch.from_numpy(values), [*values] if values.ndim > 1 else values):
        tensor = pack_inputs(source, "inputs")
        assert tensor.datatype == "UINT8"
        np.testing.assert_array_equal(unpacked(tensor), as_rows(values))


@pytest.mark.parametrize(
    ("source", "datatype"),
    [
        (np.zeros((2, 3), np.float16), "FP32"),
        (np.zeros((2, 3), bool), "FP32"),
        (np.zeros((2, 3), ">f8"), "FP32"),
        (np.zeros((2, 3), np.int8), "INT64"),
        (np.zeros((2, 3), np.uint32), "INT64"),
        (torch.zeros(2, 3, dtype=torch.bfloat16), "FP32"),
        (torch.zeros(2, 3, dtype=torch.bool), "FP32"),
        (torch.zeros(2, 3, dtype=torch.int16), "INT64"),
        (torch.zeros(2, 3, requires_grad=True), "FP32"),
        ([torch.zeros(3), torch.ones(3)], "FP32"),
        ([[1, 2.5, 0], [0, 0, 0]], "FP32"),
        ([[True, False, True], [False, False, True]], "FP32"),
    ],
)
def test_every_number_type_has_a_datatype(source, datatype):
    tensor = pack_inputs(source, "inputs")
    assert (tensor.datatype, tensor.shape) == (datatype, (2, 3))
    assert len(tensor.data) == 6 * np.dtype(DTYPES[datatype]).itemsize


def test_order_in_memory_does_not_matter():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    for source in (np.asfortranarray(values), values.T.copy().T, torch.from_numpy(values.T.copy()).T):
        np.testing.assert_array_equal(unpacked(pack_inputs(source, "inputs")), values)


def test_flat_numbers_are_one_column():
    assert pack_inputs([1.0, 2.0], "inputs").shape == (2, 1)
    assert pack_inputs(np.array([1.0, 2.0]), "inputs").shape == (2, 1)
    assert pack_inputs(range(3), "inputs").shape == (3, 1)


def test_texts_stay_text():
    assert pack_inputs(["a", "é"], "inputs") == ["a", "é"]
    assert pack_inputs(np.array(["a", "b"]), "inputs") == ["a", "b"]
    assert pack_inputs(np.array(["a", "b"], dtype=object), "inputs") == ["a", "b"]


def test_pictures_become_files():
    picture = Image.new("RGB", (4, 3), (255, 0, 0))
    [sent] = pack_inputs([picture], "inputs")
    assert np.array(Image.open(io.BytesIO(base64.b64decode(sent["b64"])))).shape == (3, 4, 3)
    assert pack_inputs([b"\x89PNG", bytearray(b"x")], "inputs") == [{"b64": "iVBORw=="}, {"b64": "eA=="}]
    assert pack_inputs([{"b64": "eA=="}], "inputs") == [{"b64": "eA=="}]


def test_paths_of_image_files_are_read(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG")
    assert pack_inputs([path, b"x"], "inputs") == [{"b64": "iVBORw=="}, {"b64": "eA=="}]
    with pytest.raises(FileNotFoundError):
        pack_inputs([tmp_path / "none.png"], "inputs")
    with pytest.raises(InvalidInput, match="has to be a list"):
        pack_inputs(path, "inputs")


def test_labels_keep_their_type():
    assert pack_targets(["a", "b"], "targets") == ["a", "b"]
    assert pack_targets([1, 2], "targets") == [1, 2]
    assert pack_targets(np.array([1, 2]), "targets") == [1, 2]
    assert pack_targets(torch.tensor([1, 2]), "targets") == [1, 2]
    assert pack_targets(np.array([1, 2], np.uint8), "targets") == [1, 2]
    assert pack_targets([[1, 2], [3, 4]], "targets") == [[1, 2], [3, 4]]
    assert pack_targets([1.5, 2], "targets").datatype == "FP32"
    assert pack_targets(np.array([[1, 2]]), "targets").datatype == "INT64"


def test_plain_json_keeps_what_was_given():
    assert pack_inputs([[0.1, 2], [3, 4]], "inputs", binary=False) == [[0.1, 2], [3, 4]]
    assert pack_inputs((1, 2.5), "inputs", binary=False) == [1, 2.5]
    array = np.array([[1, 2]], np.uint8)
    expected = {"datatype": "UINT8", "shape": [1, 2], "data": [1, 2]}
    assert pack_inputs(array, "inputs", binary=False) == expected
    assert pack_targets(np.array([0.5, 1.5]), "targets", binary=False)["data"] == [0.5, 1.5]


def test_nothing_is_an_empty_list():
    assert pack_inputs([], "inputs") == []
    assert pack_targets([], "targets") == []
    assert pack_inputs([[], []], "inputs") == [[], []]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("abc", "inputs has to be a list of examples, not str"),
        (b"abc", "not bytes"),
        ({"a": 1}, "not dict"),
        (3.0, "not float"),
        (None, "not NoneType"),
        (np.float32(1), "a single number"),
        (torch.tensor(1.0), "a single number"),
        (torch.zeros(2, dtype=torch.complex64), "complex"),
        (np.zeros(2, np.complex64), "complex64"),
        (np.array(["2020-01-01"], "M8[D]"), "datetime64"),
        (np.array([2**64 - 1], np.uint64), "too large for INT64"),
        ([2**70], "too large for INT64"),
        (["a", 1], r"inputs\[1\] is int, but inputs\[0\] is a string"),
        ([b"a", "b"], r"inputs\[1\] is str, not an image file"),
        ([np.zeros(2), np.zeros(3)], r"inputs\[1\] is FP32 \[3\], but inputs\[0\] is FP32 \[2\]"),
        ([np.zeros(2), [1, 2]], r"inputs\[1\] is list, but inputs\[0\] is an array"),
        ([[1.0], [2.0, 3.0]], r"inputs\[1\] has length 2"),
    ],
)
def test_what_cannot_be_sent_says_where(values, message):
    with pytest.raises(InvalidInput, match=message):
        pack_inputs(values, "inputs")


@pytest.mark.parametrize(
    "targets", [[True, False], (False, True), np.array([True]), torch.tensor([False]), [np.bool_(True)]]
)
def test_booleans_are_no_targets(targets):
    with pytest.raises(InvalidInput, match="targets holds booleans: send them as integers"):
        pack_targets(targets, "targets")


def test_what_is_too_large_for_a_float_warns_nobody():
    assert np.isinf(unpacked(pack_inputs(np.array([[1e300]]), "inputs"))).all()
