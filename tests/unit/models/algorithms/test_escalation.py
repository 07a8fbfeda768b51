"""An encoder tuned to one task: where that predicts clearly better what was not seen, and nowhere else."""

from pathlib import Path

import msgspec
import pytest
import torch

from models.algorithms.default_head import DefaultHead
from models.algorithms.escalation import Escalating, Escalation
from models.encoders.folder import read_folder
from models.encoders.text import TextEncoder
from models.encoders.tuning import Tuning
from models.networks.features import Features
from models.spec import AutoSpec, EncoderSpec
from models.spec.algorithms import auto
from models.spec.algorithms.auto import ESCALATION_WORK
from tests.small_encoders import WIDTH, WORDS, text_encoder

pytest.importorskip("transformers")

SPEC = AutoSpec(escalate="lora", steps=25, tuning_lr=0.05)


def by_first_word(examples: int, seed: int = 0) -> tuple[list[str], torch.Tensor]:
    """Texts told by their first word: an untrained encoder mixes all words of a text, a tuned one need not."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(examples) % 3
    others = torch.randint(len(WORDS), (examples, 4), generator=generator).tolist()
    texts = [
        " ".join([WORDS[target], *(WORDS[one] for one in some)])
        for target, some in zip(targets.tolist(), others, strict=True)
    ]
    return texts, targets


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    folder: Path = text_encoder(tmp_path_factory.mktemp("encoders") / "small")
    return TextEncoder(read_folder(folder), torch.device("cpu"))


def escalating(
    encoder: TextEncoder, texts: list[str], targets: torch.Tensor, spec: AutoSpec = SPEC
) -> Escalating:
    head = DefaultHead(Features(WIDTH, mean=encoder.encode(texts).mean(0)))
    network = EncoderSpec(encoder="small", width=WIDTH, tuning="lora", rank=spec.rank, layers=spec.layers)
    return Escalating(
        spec,
        head,
        head.init(torch.Generator()),
        encoder,
        Tuning(encoder.module, network, encoder.weights),
        encoder.tokens_of(texts, 1.0),
        targets,
        int(targets.max()) + 1,
    )


def outcome(work: Escalating) -> Escalation:
    steps = sum(1 for _ in work.steps)
    assert steps > SPEC.steps
    assert work.result is not None
    return work.result


def test_a_task_that_the_frozen_encoder_does_badly_is_tuned_to(encoder: TextEncoder) -> None:
    texts, targets = by_first_word(36)
    found = outcome(escalating(encoder, texts, targets))
    assert found.tuned is not None
    assert found.frozen is not None
    assert found.tuned.likelihood > found.frozen.likelihood + 0.1
    assert found.tuned.accuracy > found.frozen.accuracy
    assert found.factors
    again = outcome(escalating(encoder, texts, targets))
    assert again.tuned == found.tuned
    assert all(torch.equal(value, again.factors[name]) for name, value in found.factors.items())


def test_labels_that_mean_nothing_leave_the_encoder_as_it_is(encoder: TextEncoder) -> None:
    texts, _ = by_first_word(36)
    targets = torch.randint(3, (36,), generator=torch.Generator().manual_seed(0))
    found = outcome(escalating(encoder, texts, targets))
    assert found.factors == {}


def test_an_encoder_that_is_tuned_already_is_tuned_further(encoder: TextEncoder) -> None:
    network = EncoderSpec(encoder="small", width=WIDTH, tuning="lora", rank=2, layers=1)
    tuning = Tuning(encoder.module, network)
    shifted = {name: value + 0.2 for name, value in tuning.init(torch.Generator()).items()}
    base = encoder.tuned(tuning.weights(shifted))
    further = Tuning(base.module, network, base.weights)
    nothing = base.tuned(further.weights(further.init(torch.Generator())))
    texts, _ = by_first_word(9)
    torch.testing.assert_close(nothing.encode(texts), base.encode(texts), atol=1e-6, rtol=0)
    assert (base.encode(texts) - encoder.encode(texts)).abs().max() > 1e-3


def test_steps_follow_from_the_sizes() -> None:
    spec = AutoSpec(escalate="lora")
    assert [spec.escalation_steps(ESCALATION_WORK // size) for size in (1000, 77, 71, 29, 28, 1)] == [
        12,
        12,
        11,
        4,
        0,
        0,
    ]
    assert AutoSpec(escalate="lora", steps=2).escalation_steps(ESCALATION_WORK // 17) == 2


def test_what_would_take_too_long_is_not_tried(encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "ESCALATION_WORK", 1)
    texts, targets = by_first_word(36)
    work = escalating(encoder, texts, targets)
    assert list(work.steps) == []
    assert work.result == Escalation(None, None, {})


def test_what_may_be_tuned_to() -> None:
    assert not AutoSpec().may_escalate(50, 5)
    assert [SPEC.may_escalate(*sizes) for sizes in ((24, 5), (25, 5), (256, 5), (257, 5))] == [
        False,
        True,
        True,
        False,
    ]
    assert msgspec.convert({"name": "auto", "escalate": "lora"}, AutoSpec).escalate == "lora"
