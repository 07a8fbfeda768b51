"""numpy's archive: plain arrays are taken, and nothing in a header is believed."""

import io
import zipfile

import numpy as np
import pytest

from models.tasks.labelled_data import LabelledData
from services.datasets.examples import normalise
from services.datasets.limits import DatasetLimits
from services.datasets.readers.npz import read_npz
from services.datasets.records import LabelledArrays
from services.datasets.stored import decode_arrays, encode_arrays
from services.datasets.upload import Upload
from services.errors import Invalid, TooLarge
from tests.uploads import archive, npz

LIMITS = DatasetLimits()
TWO = np.array([0, 1])


def _read(data: bytes, limits: DatasetLimits = LIMITS) -> LabelledArrays:
    return normalise(read_npz(Upload(data), limits), limits)


def _npy(header: str, data: bytes) -> bytes:
    """An array file with a header of one's own making."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def test_vectors() -> None:
    inputs = np.arange(12, dtype=np.int32).reshape(4, 3)
    arrays = _read(npz(inputs=inputs, targets=np.array(["b", "a", "b", "c"])))
    assert arrays.inputs.dtype == np.float32
    np.testing.assert_array_equal(arrays.inputs, inputs)
    assert arrays.classes == ("a", "b", "c")
    assert arrays.targets.tolist() == [1, 0, 1, 2]
    assert arrays.signature.inputs.shape == (-1, 3)
    assert arrays.signature.task == "classification"


def test_gray_images_stay_bytes() -> None:
    images = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
    arrays = _read(npz(inputs=images, targets=TWO))
    assert arrays.inputs.dtype == np.uint8
    np.testing.assert_array_equal(arrays.inputs, images[..., None])


def test_series_are_told_apart_from_images_by_their_name() -> None:
    series = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
    arrays = _read(npz(series=series, targets=TWO))
    assert arrays.inputs.dtype == np.float32
    np.testing.assert_array_equal(arrays.inputs, series)
    assert arrays.signature.inputs.shape == (-1, 4, 5)
    assert arrays.signature.input_kind == "series"
    one_channel = _read(npz(series=series[:, :, 0] - 100.0, targets=TWO))
    assert one_channel.signature.inputs.shape == (-1, 4, 1)
    stored = decode_arrays(encode_arrays(arrays))
    assert LabelledData.from_arrays(stored.inputs, stored.targets).wire_shape == (4, 5)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"inputs": np.zeros((2, 3)), "series": np.zeros((2, 3, 1))}, "both"),
        ({"series": np.zeros((2, 3, 4, 5))}, r"\[n, T, C\]"),
        ({"series": np.zeros((2, 0, 4))}, "0 steps"),
        ({"series": np.zeros((2, 200, 200))}, "200 steps of 200"),
        ({"series": np.array(["a", "b"])}, "numbers"),
        ({"series": np.full((2, 3, 1), np.inf)}, "finite"),
    ],
)
def test_series_that_are_none(arrays: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        _read(npz(targets=TWO, **arrays))


def test_images_in_floating_point_lie_in_0_to_1() -> None:
    images = np.full((2, 8, 8, 3), 0.5)
    assert _read(npz(inputs=images, targets=TWO)).inputs.dtype == np.float32
    with pytest.raises(Invalid, match=r"0\.\.1"):
        _read(npz(inputs=images * 255, targets=TWO))


def test_images_of_other_whole_numbers_become_bytes() -> None:
    images = np.array([0, 255], dtype=np.int16).reshape(2, 1, 1)
    assert _read(npz(inputs=images, targets=TWO)).inputs.ravel().tolist() == [0, 255]
    assert _read(npz(inputs=images > 0, targets=TWO)).inputs.ravel().tolist() == [0, 255]
    with pytest.raises(Invalid, match=r"0\.\.255"):
        _read(npz(inputs=images * 2, targets=TWO))


def test_tasks_by_name_and_by_number() -> None:
    inputs = np.zeros((3, 2))
    named = _read(npz(inputs=inputs, targets=[0, 1, 0], tasks=["greek", "latin", "greek"]))
    assert named.task_names == ("greek", "latin")
    assert named.tasks is not None
    assert named.tasks.tolist() == [0, 1, 0]
    assert named.task_names_of_examples is not None
    assert named.task_names_of_examples.tolist() == ["greek", "latin", "greek"]
    numbered = _read(npz(inputs=inputs, targets=[0, 1, 0], tasks=[10, 9, 10]))
    assert numbered.task_names == ("9", "10")


def test_numbers_to_predict() -> None:
    arrays = _read(npz(inputs=np.zeros((3, 2)), targets=np.array([0.5, 1, 2])))
    assert arrays.kind == "regression"
    assert arrays.targets.tolist() == [[0.5], [1], [2]]
    assert arrays.signature.task == "regression"
    wide = _read(npz(inputs=np.zeros((3, 2)), targets=np.zeros((3, 4))))
    assert wide.signature.target_width == 4


def test_a_single_column_may_be_flat() -> None:
    assert _read(npz(inputs=np.zeros(2), targets=TWO)).inputs.shape == (2, 1)


def test_other_byte_orders_and_layouts_are_read() -> None:
    inputs = np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3))
    np.testing.assert_array_equal(_read(npz(inputs=inputs, targets=TWO)).inputs, inputs)


def test_other_arrays_are_left_alone() -> None:
    assert (
        len(_read(npz(inputs=np.zeros((2, 1)), targets=TWO, extra=np.array([{}], dtype=object))).inputs) == 2
    )


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"targets": TWO}, "no array 'inputs'"),
        ({"inputs": TWO}, "no array 'targets'"),
        ({"inputs": np.array([{"a": 1}], dtype=object), "targets": [0]}, "pickled"),
        ({"inputs": np.zeros((2, 1)), "targets": np.array(["a", None], dtype=object)}, "pickled"),
        ({"inputs": np.zeros((2, 1)), "targets": TWO, "tasks": np.array([1, "x"], dtype=object)}, "pickled"),
        ({"inputs": np.array(["a", "b"]), "targets": TWO}, "numbers"),
        ({"inputs": np.zeros((2, 1), dtype=complex), "targets": TWO}, "numbers"),
        ({"inputs": np.zeros((2, 1), dtype="M8[s]"), "targets": TWO}, "numbers"),
        ({"inputs": np.zeros(2, dtype=[("a", "f4")]), "targets": TWO}, "numbers"),
        ({"inputs": np.zeros((2, 1, 1, 1, 1)), "targets": TWO}, r"\[n, D\]"),
        ({"inputs": np.float32(1), "targets": TWO}, r"\[n, D\]"),
        ({"inputs": np.zeros((2, 0)), "targets": TWO}, "not 0"),
        ({"inputs": np.zeros((0, 3)), "targets": np.zeros(0, dtype=int)}, "no examples"),
        ({"inputs": np.zeros((2, 8, 8, 4), dtype=np.uint8), "targets": TWO}, "channels"),
        ({"inputs": np.zeros((2, 300, 8), dtype=np.uint8), "targets": TWO}, "256 pixels"),
        ({"inputs": np.array([[0], [np.nan]]), "targets": TWO}, "example 1"),
        ({"inputs": np.array([[np.inf], [0]]), "targets": TWO}, "example 0"),
        ({"inputs": np.array([[0], [1e300]]), "targets": TWO}, "finite"),
        ({"inputs": np.zeros((2, 1)), "targets": np.array([1.0, np.nan])}, "finite"),
        ({"inputs": np.zeros((3, 1)), "targets": TWO}, "3 inputs, but 2 targets"),
        ({"inputs": np.zeros((3, 1)), "targets": np.zeros(2)}, "3 inputs, but 2 targets"),
        ({"inputs": np.zeros((2, 1)), "targets": TWO, "tasks": [1]}, "2 inputs, but 1 tasks"),
        ({"inputs": np.zeros((2, 1)), "targets": [[0], [1]]}, "one label an example"),
        ({"inputs": np.zeros((2, 1)), "targets": TWO, "tasks": np.zeros(2)}, "tasks must be whole numbers"),
        ({"inputs": np.zeros((2, 1)), "targets": np.array([b"a", b"b"])}, "whole numbers or strings"),
        ({"inputs": np.zeros((2, 1)), "targets": [7, 7]}, "'7'; at least two"),
        ({"inputs": np.zeros((2, 1)), "targets": np.array(["", "a"])}, "empty"),
        ({"inputs": np.zeros((2, 1)), "targets": np.array(["x" * 257, "a"])}, "256 characters"),
        ({"inputs": np.zeros((2, 1)), "targets": np.zeros((2, 1, 1))}, r"\[n, T\]"),
    ],
)
def test_bad_arrays_are_refused(arrays: dict[str, object], complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        _read(npz(**arrays))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "__import__('os').system('true')",
        "(" * 100,
    ],
)
def test_a_header_that_lies_is_refused(header: str) -> None:
    good = io.BytesIO()
    np.save(good, TWO)
    with pytest.raises(Invalid):
        _read(archive({"inputs.npy": _npy(header, b"\0" * 8), "targets.npy": good.getvalue()}))


def test_what_is_no_npz_is_refused() -> None:
    single = io.BytesIO()
    np.save(single, TWO)
    for data in (b"", b"hello", single.getvalue(), archive({"inputs.npy": b"hello", "targets.npy": b""})):
        with pytest.raises(Invalid):
            _read(data)


def test_a_compressed_npz_is_read_and_a_bomb_is_not() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, inputs=np.random.default_rng(0).random((200, 1000)), targets=np.arange(200))
    assert _read(file.getvalue()).inputs.shape == (200, 1000)
    file = io.BytesIO()
    np.savez_compressed(file, inputs=np.zeros((2, 2_000_000)), targets=TWO)
    with pytest.raises(TooLarge, match="bomb"):
        _read(file.getvalue())


def test_a_label_that_is_no_text_is_refused() -> None:
    inputs = np.zeros((2, 3), np.float32)
    for name in ("targets", "tasks"):
        arrays = {"targets": np.array(["a", "b"]), name: np.array(["a", "\ud800"])}
        with pytest.raises(Invalid, match="surrogate"):
            _read(npz(inputs=inputs, **arrays))


def test_limits() -> None:
    data = npz(inputs=np.zeros((20, 10)), targets=np.arange(20))
    for limits in (DatasetLimits(examples=19), DatasetLimits(unpacked_bytes=1000)):
        with pytest.raises(TooLarge):
            _read(data, limits)
    with pytest.raises(Invalid, match="1 to 9 numbers"):
        _read(data, DatasetLimits(input_width=9))


def test_a_stored_member_larger_than_the_index_may_be_is_read() -> None:
    data = npz(inputs=np.zeros((1000, 10)), targets=np.arange(1000))
    assert zipfile.ZipFile(io.BytesIO(data)).getinfo("inputs.npy").file_size > 50_000
    assert len(_read(data, DatasetLimits(index_bytes=50_000)).inputs) == 1000
