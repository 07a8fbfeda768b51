"""A small encoder made here: its features against the library's own, and that a text's are its own."""

from pathlib import Path

import pytest
import torch

pytest.importorskip("transformers")

from models.encoders.folder import EncoderError, read_folder
from models.encoders.shelf import EncoderShelf
from models.encoders.stock import EncoderStock
from models.encoders.text import TextEncoder
from models.spec import EncoderSpec
from tests.small_encoders import WIDTH, text_encoder

CPU = torch.device("cpu")
TEXTS = ["cat", "a dog and a fish", "", "red green blue " * 40, "你好", "one two three"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return text_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> TextEncoder:
    return TextEncoder(read_folder(folder), CPU)


def test_features_are_of_length_one(encoder: TextEncoder) -> None:
    features = encoder.encode(TEXTS)
    assert features.shape == (len(TEXTS), WIDTH)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(len(TEXTS)))


def test_a_texts_features_do_not_depend_on_the_others(encoder: TextEncoder) -> None:
    together = encoder.encode(TEXTS)
    for text, features in zip(TEXTS, together, strict=True):
        torch.testing.assert_close(encoder.encode([text])[0], features, rtol=0, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_features_equal_those_of_sentence_transformers(tmp_path: Path, pooling: str) -> None:
    library = pytest.importorskip("sentence_transformers")
    folder = text_encoder(tmp_path / "tiny", pooling)
    theirs = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True).encode(TEXTS)
    ours = TextEncoder(read_folder(folder), CPU).encode(TEXTS)
    torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=1e-5)


def test_encoding_can_be_watched_and_broken_off(encoder: TextEncoder) -> None:
    def stop(done: int) -> None:
        raise InterruptedError(done)

    with pytest.raises(InterruptedError):
        encoder.encode(TEXTS, stop)


def test_an_encoder_is_loaded_once(folder: Path) -> None:
    stock = EncoderStock(EncoderShelf(folder.parent), CPU)
    named = EncoderSpec(encoder="tiny")
    known = EncoderShelf(folder.parent).resolved(named)
    assert stock.get(known) is stock.get(named) is stock.get(known)


def test_damaged_weights_are_an_error_of_the_encoder(tmp_path: Path) -> None:
    folder = text_encoder(tmp_path / "tiny")
    (folder / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        EncoderStock(EncoderShelf(tmp_path), CPU).get(EncoderSpec(encoder="tiny"))
