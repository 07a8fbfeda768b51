"""Texts of several calls through one encoder: together, each once, remembered, and each answer its caller's own."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from models.spec import AutoSpec, EncoderSpec, Signature, TensorSpec
from services.engine.encoding import Encoding
from services.engine.messages import AdaptCall, AdaptPredictCall, Array, PredictCall, Support
from services.engine.residents import ResidentModel
from services.engine.stacking import check_inputs
from services.errors import Invalid
from services.storage.manifest import decode_artifact
from tests import small_models

TEXTS = Signature(inputs=TensorSpec(datatype="BYTES", shape=(-1,)), targets=small_models.LABELS)


class Lengths:
    """Stands in for an encoder: a text's features are its length and its first letter's place."""

    width = 2
    nbytes = 0

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode(self, texts: Sequence[str], before_each_pass: object = None) -> Tensor:
        self.asked.append(list(texts))
        return torch.tensor([[float(len(text)), float(ord(text[0]))] for text in texts])


@pytest.fixture
def encoder() -> Lengths:
    return Lengths()


@pytest.fixture
def model(encoder: Lengths) -> ResidentModel:
    spec = EncoderSpec(encoder="lengths", width=2, sha256="0" * 64)
    manifest, arrays = decode_artifact(small_models.artifact(AutoSpec(), TEXTS, spec))
    return ResidentModel(
        manifest, {name: torch.from_numpy(one.copy()) for name, one in arrays.items()}, encoder
    )


def support(*texts: str) -> Support:
    return Support(Array.of_texts(texts), Array.of(np.arange(len(texts), dtype=np.int64)), n_ways=len(texts))


def test_one_pass_encodes_each_text_once_for_all_callers(model: ResidentModel, encoder: Lengths) -> None:
    calls = [
        AdaptPredictCall("a", support("cat", "a dog"), Array.of_texts(["cat", "bird"])),
        AdaptCall("a", support("a dog", "fish"), principal="other"),
    ]
    first, second = Encoding().encoded(model, calls)
    assert encoder.asked == [["cat", "a dog", "bird", "fish"]]
    assert isinstance(first, AdaptPredictCall)
    assert isinstance(second, AdaptCall)
    assert first.support.inputs.numpy().tolist() == [[3, 99], [5, 97]]
    assert first.inputs.numpy().tolist() == [[3, 99], [4, 98]]
    assert second.support.inputs.numpy().tolist() == [[5, 97], [4, 102]]
    assert second.principal == "other"


def test_what_a_text_gave_is_remembered(model: ResidentModel, encoder: Lengths) -> None:
    encoding = Encoding()
    for texts in (["cat", "dog"], ["dog", "fish"]):
        encoding.encoded(model, [PredictCall("a", "digest", Array.of_texts(texts))])
    assert encoder.asked == [["cat", "dog"], ["fish"]]


@pytest.mark.parametrize("texts", [[], [""], ["cat", "你好", "a\0b"]])
def test_texts_cross_into_the_engine_and_back(texts: list[str]) -> None:
    assert Array.of_texts(texts).texts() == texts


@pytest.mark.parametrize(
    "array",
    [
        Array("text", (1,), memoryview(b"\x05\0\0\0cat")),
        Array("text", (2,), memoryview(b"\x03\0\0\0cat")),
        Array("text", (1,), memoryview(b"\x01\0\0\0\xff")),
        Array("text", (1,), memoryview(b"\x01")),
        Array.of(np.zeros((1, 2), np.float32)),
    ],
)
def test_what_is_no_text_is_refused(array: Array) -> None:
    with pytest.raises(Invalid):
        check_inputs(array, TEXTS)
