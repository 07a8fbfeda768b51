"""Tuned encoders: nothing at first, differences by name, and one loaded encoder behind all of them."""

from pathlib import Path

import pytest
import torch

from models.build import build_learner
from models.encoders.folder import EncoderError, read_folder
from models.encoders.text import TextEncoder
from models.encoders.tuning import Tuning, tuned_params
from models.spec import AutoSpec, EncoderSpec, LabelledSpec, LearnerSpec, signature_of
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.training.config import TrainingSpec
from models.training.meta_trainer import MetaTrainer
from tests.small_encoders import WIDTH, WORDS, text_encoder

pytest.importorskip("transformers")

TEXTS = [f"{one} {other}" for one in WORDS for other in WORDS]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    folder: Path = text_encoder(tmp_path_factory.mktemp("encoders") / "small")
    return TextEncoder(read_folder(folder), torch.device("cpu"))


def spec(tuning: str, layers: int = 1) -> EncoderSpec:
    return EncoderSpec(encoder="small", width=WIDTH, tuning=tuning, rank=2, layers=layers)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "numbers"), [("lora", 4 * 2 * 2 * WIDTH), ("layer_norm", 4 * WIDTH)])
def test_nothing_is_different_at_first_and_few_numbers_are_learned(
    encoder: TextEncoder, kind: str, numbers: int
) -> None:
    tuning = Tuning(encoder.module, spec(kind))
    params = tuning.init(torch.Generator().manual_seed(0))
    assert sum(value.numel() for value in params.values()) == numbers
    assert tuned_params(params | {"backbone.mean": torch.zeros(1)}) == params
    tuned = encoder.tuned(tuning.weights(params))
    torch.testing.assert_close(tuned.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ["lora", "layer_norm"])
def test_only_the_top_layers_differ_and_the_shared_weights_never(encoder: TextEncoder, kind: str) -> None:
    top, both = (Tuning(encoder.module, spec(kind, layers)) for layers in (1, 9))
    names = [set(one.init(torch.Generator())) for one in (top, both)]
    assert names[0] < names[1]
    assert all(".layer.1." in name for name in names[0])
    before = encoder.encode(TEXTS)
    shifted = {name: value + 0.3 for name, value in top.init(torch.Generator()).items()}
    assert (encoder.tuned(top.weights(shifted)).encode(TEXTS) - before).abs().max() > 1e-3
    assert torch.equal(encoder.encode(TEXTS), before)


def test_differences_of_another_description_are_refused(encoder: TextEncoder) -> None:
    params = Tuning(encoder.module, spec("lora")).init(torch.Generator())
    with pytest.raises(ValueError, match="not those of its description"):
        Tuning(encoder.module, spec("lora", layers=2)).check(params)
    with pytest.raises(EncoderError, match="no layers that lora could tune"):
        Tuning(torch.nn.Sequential(torch.nn.Linear(2, 2)), spec("lora"))


@pytest.mark.parametrize("kind", ["lora", "layer_norm"])
def test_meta_training_learns_what_serving_then_encodes_with(encoder: TextEncoder, kind: str) -> None:
    """Texts by their first word: an untrained encoder mixes both words; a tuned one tells the first from it."""
    tokens = encoder.tokens_of(TEXTS, 1.0)
    labels = torch.arange(len(WORDS)).repeat_interleave(len(WORDS)).numpy()
    data = LabelledData.from_arrays(tokens.numpy(), labels)
    family = Labelled(LabelledSpec(dataset="", n_way=4, n_query=3, test_fraction=0.4), data)
    learner_spec = LearnerSpec(algorithm=AutoSpec(), network=spec(kind, layers=2))
    signature = signature_of(family.spec, ())
    learner = build_learner(learner_spec, signature, encoder=encoder)
    trainer = MetaTrainer(TrainingSpec(iterations=40, meta_batch_size=2, meta_lr=0.02), family, learner)
    first, last = trainer.run(5)["meta_loss"], 0.0
    while not trainer.finished:
        last = trainer.run(5)["meta_loss"]
    assert last < 0.8 * first

    params = trainer.meta_params
    differences = tuned_params(params)
    served = encoder.tuned(Tuning(encoder.module, spec(kind, layers=2)).weights(differences))
    plain = build_learner(learner_spec, signature)
    batch = family.sample(torch.Generator().manual_seed(1), 1, "test")
    ours = learner.adapt(params, type(batch.support)(*(one[0] for one in batch.support)))["weights"]
    features = batch.support._replace(inputs=_encoded(served, tokens, batch.support.inputs))
    rest = {name: value for name, value in params.items() if name not in differences}
    theirs = plain.adapt(rest, type(features)(*(one[0] for one in features)))["weights"]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def _encoded(encoder: TextEncoder, tokens: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Features [1, E, F], by the text, of tokens [1, E, L]."""
    texts = dict(zip(map(tuple, tokens.tolist()), TEXTS, strict=True))
    return encoder.encode([texts[tuple(row)] for row in wanted[0].tolist()]).unsqueeze(0)
