"""A zip of class folders: what it means, and what is refused before it can do harm."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from services.datasets.examples import normalise
from services.datasets.limits import DatasetLimits
from services.datasets.readers.image_folders import read_image_folders
from services.datasets.records import LabelledArrays
from services.datasets.upload import Upload
from services.errors import Invalid, TooLarge
from tests.uploads import archive, folders_of_images, picture

LIMITS = DatasetLimits()


def _read(data: bytes, limits: DatasetLimits = LIMITS) -> LabelledArrays:
    return normalise(read_image_folders(Upload(data), limits), limits)


def _with_field(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """The zip with one field overwritten in the first header that has this signature."""
    start = data.index(signature) + offset
    return data[:start] + value + data[start + len(value) :]


LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def test_a_folder_is_a_class() -> None:
    arrays = _read(folders_of_images(("black", "white"), each=3))
    assert arrays.inputs.shape == (6, 28, 28, 1)
    assert arrays.inputs.dtype == np.uint8
    assert arrays.classes == ("black", "white")
    assert arrays.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert (arrays.inputs[:3] == 0).all()
    assert (arrays.inputs[3:] == 250).all()
    assert arrays.tasks is None
    assert arrays.kind == "labelled"
    assert arrays.signature.inputs.shape == (-1, 28, 28, 1)


def test_a_folder_around_class_folders_is_a_task() -> None:
    names = ("greek/alpha", "greek/beta", "latin/a", "latin/alpha")
    arrays = _read(folders_of_images(names, each=2))
    assert arrays.classes == names  # latin's alpha is not greek's
    assert arrays.task_names == ("greek", "latin")
    assert arrays.tasks is not None
    assert arrays.tasks.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("wrapper", ["letters", "a/b/c", "./letters"])
def test_folders_around_everything_mean_nothing(wrapper: str) -> None:
    plain = _read(folders_of_images(("a", "b")))
    wrapped = _read(folders_of_images((f"{wrapper}/a", f"{wrapper}/b")))
    assert wrapped.classes == plain.classes
    assert wrapped.tasks is None


def test_classes_that_are_numbers_are_in_numeric_order() -> None:
    assert _read(folders_of_images(("10", "9", "1"), each=1)).classes == ("1", "9", "10")


def test_what_file_managers_leave_behind_is_skipped() -> None:
    chaff = {
        "__MACOSX/a/._1.png": b"x",
        "a/.DS_Store": b"x",
        ".DS_Store": b"x",
        "b/Thumbs.db": b"x",
        "a/._1.png": b"x",
        "b/.gitkeep": b"",
        "a/": b"",
    }
    files = {f"{name}/{number}.png": picture() for name in "ab" for number in range(2)}
    assert len(_read(archive({**chaff, **files})).inputs) == 4


@pytest.mark.parametrize("folder", ["", "./", "letters/"])
@pytest.mark.parametrize("stray", ["README.md", "LICENSE", "labels.csv"])
def test_a_text_beside_the_class_folders_is_left_out(folder: str, stray: str) -> None:
    files = {f"{folder}{name}/{number}.png": picture() for name in "ab" for number in range(2)}
    arrays = _read(archive({f"{folder}{stray}": b"what this is", **files}))
    assert (len(arrays.inputs), arrays.classes) == (4, ("a", "b"))


@pytest.mark.parametrize(
    "stray", [{"1.png": picture()}, {"first": picture()}, {"1.png": b"damaged"}, {"a/notes.txt": b"text"}]
)
def test_no_image_is_left_out_and_no_text_within_a_class(stray: dict[str, bytes]) -> None:
    files = {f"{name}/{number}.png": picture() for name in "ab" for number in range(2)}
    with pytest.raises(Invalid):
        _read(archive({**stray, **files}))


def test_sizes_that_differ_become_the_commonest() -> None:
    files = {f"a/{number}.png": picture((40, 50)) for number in range(3)}
    files |= {"b/1.png": picture((60, 30)), "b/2.jpg": picture((28, 28), image_format="JPEG")}
    assert _read(archive(files)).inputs.shape == (5, 40, 50, 1)


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        ((28, 28), (28, 28)),
        ((84, 84), (84, 84)),
        ((105, 105), (84, 84)),
        ((200, 100), (84, 42)),
        ((300, 50), (84, 28)),
        ((16, 16), (28, 28)),
        ((8, 20), (28, 28)),
        ((40, 20), (40, 28)),
    ],
)
def test_sides_are_28_to_84_pixels(size: tuple[int, int], kept: tuple[int, int]) -> None:
    assert _read(folders_of_images(each=1, shape=size)).inputs.shape == (2, *kept, 1)


def test_one_coloured_image_makes_all_coloured() -> None:
    files = {"a/1.png": picture((28, 28), 10), "b/1.png": picture((28, 28, 3), 20)}
    inputs = _read(archive(files)).inputs
    assert inputs.shape == (2, 28, 28, 3)
    assert (inputs[0] == 10).all()


@pytest.mark.parametrize(
    "name",
    ["../../evil.png", "a/../../evil.png", "/etc/evil.png", "a\\..\\evil.png", "C:/evil.png", "a/..", ".."],
)
def test_a_path_out_of_the_archive_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="outside"):
        _read(archive({"a/1.png": picture(), "b/1.png": picture(), name: picture()}))


def test_a_link_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writing:
        link = zipfile.ZipInfo("a/1.png")
        link.external_attr = 0o120777 << 16
        writing.writestr(link, "/etc/passwd")
    with pytest.raises(Invalid, match="link"):
        _read(file.getvalue())


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "no images"),
        ({"1.png": picture()}, "0 folders"),
        ({"a/1.png": picture(), "2.png": picture()}, "depth"),
        ({"a/1.png": picture(), "b/c/2.png": picture()}, "depth"),
        ({"a/b/c/1.png": picture(), "d/e/f/1.png": picture()}, "3 folders"),
        ({"a/1.png": picture(), "a/2.png": picture()}, "at least two"),
        ({"a/1.png": picture(), "b/notes.txt": b"notes"}, "b/notes.txt.*not an image"),
        ({"a/1.png": picture(), "b/1.png": b""}, "b/1.png.*not an image"),
        ({"a/1.png": picture((60, 60))[:-40], "b/1.png": picture()}, "a/1.png.*decoded"),
        ({"x" * 300 + "/1.png": picture(), "b/1.png": picture()}, "256 characters"),
    ],
)
def test_what_is_not_folders_of_images_is_refused(files: dict[str, bytes], complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        _read(archive(files))


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        _read(data)


def test_a_truncated_zip_is_refused() -> None:
    whole = folders_of_images()
    for length in range(0, len(whole), 97):
        with pytest.raises(Invalid):
            _read(whole[:length])


def test_an_encrypted_member_is_refused() -> None:
    with pytest.raises(Invalid, match="encrypted"):
        _read(_with_field(folders_of_images(), CENTRAL, 8, struct.pack("<H", 1)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method: int) -> None:
    with pytest.raises(Invalid, match="deflate"):
        _read(archive({"a/1.png": picture(), "b/1.png": picture()}, method))


def test_damage_is_found_by_the_checksum() -> None:
    with pytest.raises(Invalid, match="damaged"):
        _read(_with_field(folders_of_images(), CENTRAL, 16, b"\0\0\0\0"))


def test_a_declared_bomb_is_refused_without_inflating() -> None:
    bomb = archive({"a/b.png": b"\0" * 50_000_000})
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="bomb"):
            _read(bomb)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_is_not_inflated() -> None:
    bomb = archive({"a/b.png": b"\0" * 50_000_000})
    small = struct.pack("<I", 1000)
    bomb = _with_field(_with_field(bomb, CENTRAL, 24, small), LOCAL, 22, small)
    tracemalloc.start()
    try:
        with pytest.raises(Invalid, match="damaged"):
            _read(bomb)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        (DatasetLimits(unpacked_bytes=200), "inflates to"),
        (DatasetLimits(unpacked_bytes=4 * 28 * 28), "images take"),
        (DatasetLimits(examples=5), "at most 5"),
        (DatasetLimits(image_bytes=50), "one image's most"),
        (DatasetLimits(index_bytes=100), "list of contents"),
        (DatasetLimits(archive_pixels=28 * 28 * 6 - 1), "pixels"),
    ],
)
def test_limits(limits: DatasetLimits, complaint: str) -> None:
    with pytest.raises(TooLarge, match=complaint):
        _read(folders_of_images(each=3), limits)


def test_an_image_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(Invalid, match=r"a/0\.png.*pixels"):
        _read(folders_of_images(), DatasetLimits(image_pixels=100))
