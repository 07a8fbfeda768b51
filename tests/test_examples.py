"""The examples: what they read and draw is what the service takes. Their runs against one are by hand."""

import importlib.util
import io
import random
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from services.datasets.limits import DatasetLimits
from services.datasets.readers.image_folders import read_image_folders
from services.datasets.upload import Upload

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def omniglot_zip(path: Path) -> Path:
    """Two alphabets, one character each by two drawers: a black square in the upper left quarter."""
    with zipfile.ZipFile(path, "w") as archive:
        for alphabet in ("Greek", "Latin"):
            for drawer in (1, 2):
                image = Image.new("1", (105, 105), 1)
                image.paste(0, (0, 0, 52, 52))
                file = io.BytesIO()
                image.save(file, "PNG")
                archive.writestr(
                    f"images_background/{alphabet}/character01/0001_{drawer:02d}.png", file.getvalue()
                )
        archive.writestr("__MACOSX/images_background/Greek/character01/._0001_01.png", b"")
    return path


def test_omniglot_reads_the_official_archive(tmp_path: Path) -> None:
    data = example("omniglot").read(omniglot_zip(tmp_path / "images_background.zip"))
    assert data.images.shape == (4, 28, 28)
    assert data.images.dtype == np.uint8
    assert (data.images[0, 3, 3], data.images[0, 20, 20]) == (255, 0)
    assert data.character.tolist() == [0, 0, 1, 1]
    assert data.drawer.tolist() == [1, 2, 1, 2]
    assert data.alphabet.tolist() == ["Greek", "Greek", "Latin", "Latin"]


def test_omniglot_reads_arrays(tmp_path: Path) -> None:
    path = tmp_path / "omniglot.npz"
    images = np.zeros((2, 28, 28), np.uint8)
    np.savez(path, images=images, labels=[0, 1], drawer=[1, 1], class_alphabet=["Greek", "Latin"])
    assert example("omniglot").read(path).alphabet.tolist() == ["Greek", "Latin"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.zip", None, "none.zip is not there; --data names images_background.zip of https://"),
        ("no.zip", b"hello", "does not hold Omniglot"),
        ("no.npz", b"hello", "does not hold Omniglot"),
    ],
)
def test_omniglot_says_what_is_wrong_with_its_data(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SystemExit, match=said):
        example("omniglot").read(tmp_path / name)


def test_letters_are_a_dataset_and_differ() -> None:
    letters = example("letters")
    assert not set(letters.NEW) & set(letters.SEEN)
    archive = letters.class_folders("AB", random.Random(0))
    examples = read_image_folders(Upload(archive), DatasetLimits())
    assert examples.inputs.shape == (2 * letters.DRAWINGS, letters.SIDE, letters.SIDE, 1)
    ink = (255.0 - examples.inputs).sum(axis=(1, 2, 3))
    assert ink.min() > 1000
    assert len({image.tobytes() for image in examples.inputs}) == len(examples.inputs)


def test_letters_draws_its_picture(tmp_path: Path) -> None:
    letters = example("letters")
    hand = random.Random(0)
    support = [letters.draw(letter, hand) for letter in letters.NEW]
    labels = ["K", "g"] * 5
    path = tmp_path / "letters.png"
    letters.picture(support, [letters.draw(label, hand) for label in labels], labels, path)
    with Image.open(path) as picture:
        assert len(picture.resize((64, 64)).getcolors(4096)) > 20
