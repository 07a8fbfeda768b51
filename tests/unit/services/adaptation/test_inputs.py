"""Examples into the shape that a model takes: numbers, images as arrays, images as files."""

import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.spec import ColumnSpec, Signature, TensorSpec
from services.adaptation.inputs import n_columns_of, read_inputs
from services.adaptation.limits import Limits
from services.errors import Invalid, TooLarge
from tests.small_models import LABELS, LINE, PICTURES, POINTS

LIMITS = Limits(input_width=1024, image_pixels=4096, call_pixels=6000)
SERIES = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 4, 2)), targets=LABELS)
PULSES = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 4, 1)), targets=LABELS)
COLOUR = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 8, 8, 3)), targets=LABELS)


def _read(raw: Any, signature: Signature) -> np.ndarray[Any, Any]:
    return read_inputs(raw, signature, "/inputs", LIMITS)


def _png(height: int, width: int, mode: str = "L", colour: Any = 128) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height), colour).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("raw", [np.array([1.0, 2.0]), np.array([[1], [2]]), np.array([1, 2], np.uint8)])
def test_numbers_for_one_column(raw: Any) -> None:
    inputs = _read(raw, LINE)
    assert inputs.dtype == np.float32
    assert inputs.tolist() == [[1.0], [2.0]]


def test_a_row_of_another_width_is_told_the_columns() -> None:
    columns = tuple(ColumnSpec(name=name) for name in ("age", "sex"))
    table = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 2)), targets=LABELS, columns=columns)
    with pytest.raises(Invalid, match=r"shape \[3\]; this model takes 2 numbers each: age, sex$"):
        _read(np.ones((1, 3)), table)
    with pytest.raises(Invalid, match=r"takes a number each$"):
        _read(np.ones((1, 3)), LINE)


@pytest.mark.parametrize(
    ("raw", "columns", "rows"),
    [
        (np.array([[1, 2]], np.uint8), range(1, 4), [[1, 2, 0]]),
        (np.array([1.0, 2.0]), range(1, 4), [[1, 0, 0], [2, 0, 0]]),
        (np.array([1.0, 2.0]), range(1, 2), [[1, 0, 0], [2, 0, 0]]),
        (np.array([[1.0, 2.0, 3.0]]), range(1, 4), [[1, 2, 3]]),
    ],
)
def test_zeros_stand_behind_a_table_of_fewer_columns(raw: Any, columns: range, rows: Any) -> None:
    inputs = read_inputs(raw, POINTS, "/inputs", LIMITS, columns)
    assert inputs.dtype == np.float32
    assert inputs.tolist() == rows
    assert n_columns_of(raw) == int(np.count_nonzero(inputs[0]))


@pytest.mark.parametrize(
    ("raw", "columns", "pointer", "detail"),
    [
        (np.ones((2, 0)), range(1, 4), "/inputs", "shape [0]; this model takes 1 to 3 numbers each"),
        (np.ones((2, 4)), range(1, 4), "/inputs", "shape [4]; this model takes 1 to 3 numbers each"),
        (np.ones((2, 2, 1)), range(1, 4), "/inputs", "shape [2, 1]; this model takes 1 to 3 numbers each"),
        (np.ones((2, 3)), range(2, 3), "/inputs", "shape [3]; the adaptation has 2 columns, as its support"),
        (np.ones((2, 2)), range(1, 2), "/inputs", "shape [2]; the adaptation has 1 column, as its support"),
        (
            np.ones(2),
            range(2, 3),
            "/inputs",
            "shape []; the adaptation has 2 columns, as its support set had",
        ),
        (np.array([[1.0, np.nan]]), range(1, 4), "/inputs/0/1", "not a finite float32 number"),
        (["red"], range(1, 4), "/inputs", "texts; this model takes numbers"),
        (np.zeros((0, 2)), range(1, 4), "/inputs", "there are no examples"),
    ],
    ids=str,
)
def test_tables_that_are_refused(raw: Any, columns: range, pointer: str, detail: str) -> None:
    with pytest.raises(Invalid, match=re.escape(detail)) as error:
        read_inputs(raw, POINTS, "/inputs", LIMITS, columns)
    assert error.value.faults[0].pointer == pointer


def test_rows_are_counted_as_wide_as_the_model_takes_them() -> None:
    with pytest.raises(Invalid, match="6 numbers"):
        read_inputs(np.ones((2, 1)), POINTS, "/inputs", Limits(input_numbers=5), range(1, 4))


def test_series() -> None:
    assert _read(np.ones((3, 4, 2)), SERIES).shape == (3, 4, 2)
    assert _read(np.ones((3, 4), np.uint8), PULSES).shape == (3, 4, 1)


def test_vectors() -> None:
    assert _read(np.ones((2, 3)), POINTS).shape == (2, 3)


@pytest.mark.parametrize(
    ("raw", "signature", "pointer"),
    [
        (np.ones((2, 2)), LINE, "/inputs"),
        (np.ones(3), POINTS, "/inputs"),
        (np.ones((2, 3, 1)), POINTS, "/inputs"),
        (np.zeros((0, 1)), LINE, "/inputs"),
        (np.ones((3, 4)), SERIES, "/inputs"),
        (np.ones((3, 5, 2)), SERIES, "/inputs"),
        (np.ones((3, 4, 2, 1)), SERIES, "/inputs"),
        (np.full((1, 4, 2), np.nan), SERIES, "/inputs/0/0/0"),
        ([b"file"], SERIES, "/inputs"),
        ([], LINE, "/inputs"),
        (["a"], LINE, "/inputs"),
        (["a"], PICTURES, "/inputs"),
        ([b"file"], LINE, "/inputs"),
        ([b"no image"], PICTURES, "/inputs/0"),
        ([_png(4, 4), _png(4, 4)[:40]], PICTURES, "/inputs/1"),
        ([_png(65, 64)], PICTURES, "/inputs/0"),
        (np.array([[1.0, 2.0, np.inf]]), POINTS, "/inputs/0/2"),
        (np.array([[1.0], [1e39]]), LINE, "/inputs/1/0"),
        (np.ones((1, 33, 33)), PICTURES, "/inputs"),
        (np.ones((2, 256)), PICTURES, "/inputs"),
        (np.ones((1, 4, 4, 2)), PICTURES, "/inputs"),
        (np.ones((1, 4, 0, 1)), PICTURES, "/inputs"),
        (np.full((1, 4, 4), 255.0), PICTURES, "/inputs/0/0/0/0"),
        (np.array([["a"]]), POINTS, "/inputs"),
    ],
    ids=str,
)
def test_examples_that_are_refused(raw: Any, signature: Signature, pointer: str) -> None:
    with pytest.raises(Invalid) as error:
        _read(raw, signature)
    assert error.value.faults[0].pointer == pointer


def test_texts_for_images_are_told_what_to_be() -> None:
    with pytest.raises(Invalid, match=r'texts; this model takes images: \{"b64": …\}.*pathlib.Path'):
        _read(["a.png"], PICTURES)


def test_an_image_of_the_right_size_is_scaled_alone() -> None:
    bytes_ = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    from_bytes = _read(bytes_, PICTURES)
    assert from_bytes.shape == (1, 16, 16, 1)
    assert (from_bytes.min(), from_bytes.max()) == (0.0, 1.0)
    np.testing.assert_allclose(_read(bytes_.astype(np.float32) / 255, PICTURES), from_bytes)


def test_images_get_the_models_size_and_channels() -> None:
    for raw in (np.full((2, 5, 7), 0.5), np.full((2, 5, 7, 1), 0.5), np.full((2, 5, 7, 3), 0.5)):
        for signature in (PICTURES, COLOUR):
            images = _read(raw, signature)
            assert images.shape == (2, *signature.inputs.example_shape)
            np.testing.assert_allclose(images, 0.5, atol=1e-3)


def test_image_files() -> None:
    images = _read([_png(20, 30), _png(16, 16, "RGB", (255, 0, 0))], COLOUR)
    assert images.shape == (2, 8, 8, 3)
    np.testing.assert_allclose(images[0], 128 / 255, atol=1e-3)
    np.testing.assert_allclose(images[1, 0, 0], [1.0, 0.0, 0.0], atol=1e-3)


def test_the_pixels_of_a_call_are_bounded_together() -> None:
    with pytest.raises(TooLarge):
        _read([_png(60, 60), _png(60, 60)], PICTURES)


@pytest.mark.parametrize("raw", [np.zeros((3, 1, 1), np.uint8), [_png(1, 1)] * 3], ids=["numbers", "files"])
def test_small_images_of_a_large_model_are_counted_as_it_takes_them(raw: Any) -> None:
    assert read_inputs(raw, PICTURES, "/inputs", Limits(input_numbers=768)).shape == (3, 16, 16, 1)
    with pytest.raises(Invalid, match="768 numbers"):
        read_inputs(raw, PICTURES, "/inputs", Limits(input_numbers=767))
