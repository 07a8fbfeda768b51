import io
from pathlib import Path

import numpy as np
import pytest

from innerloop import InvalidInput
from innerloop.uploads import media_type_of, name_of, npz


@pytest.mark.parametrize(
    ("file", "media_type"),
    [
        ("a.zip", "application/zip"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.CSV", "text/csv"),
        ("a.npz", "application/x-npz"),
    ],
)
def test_the_suffix_tells_the_media_type(file, media_type):
    assert media_type_of(Path(file), None) == media_type


def test_what_cannot_be_told_has_to_be_said():
    assert media_type_of(b"", "text/csv") == "text/csv"
    assert name_of(Path("folder/letters.zip"), None) == "letters"
    assert name_of(b"", "letters") == "letters"
    with pytest.raises(InvalidInput, match="say media_type="):
        media_type_of(Path("a.tar"), None)
    with pytest.raises(InvalidInput, match="say media_type="):
        media_type_of(b"", None)
    with pytest.raises(InvalidInput, match="say name="):
        name_of(b"", None)


def test_arrays_become_a_file_without_pickles():
    targets = np.array(["a", "b"], dtype=object)
    with np.load(
        io.BytesIO(npz(np.zeros((2, 3), np.uint8), targets, ["x", "y"])), allow_pickle=False
    ) as file:
        assert file["inputs"].dtype == np.uint8
        assert file["targets"].tolist() == ["a", "b"]
        assert file["tasks"].tolist() == ["x", "y"]
    with np.load(io.BytesIO(npz([[1.0]], [1])), allow_pickle=False) as file:
        assert sorted(file) == ["inputs", "targets"]


def test_ragged_arrays_and_objects_are_refused():
    with pytest.raises(InvalidInput, match="inputs is ragged"):
        npz([[1.0], [2.0, 3.0]], [1, 2])
    with pytest.raises(InvalidInput, match="targets holds objects"):
        npz([[1.0]], np.array([{}], dtype=object))
