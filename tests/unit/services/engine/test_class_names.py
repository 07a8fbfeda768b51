"""Names of classes in the engine: read as texts are, left out where there are none, alone as among others."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.encoders.shelf import EncoderShelf
from models.encoders.stock import EncoderStock
from models.spec import AutoSpec, EncoderSpec, MatchingNetSpec, Signature
from services.engine.batching import Sliced
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    Array,
    EngineFault,
    EngineStatus,
    InspectCall,
    PredictReply,
    Reply,
    Support,
)
from services.engine.residents import ResidentModels
from tests import small_models
from tests.small_encoders import text_encoder
from tests.unit.models.algorithms.test_escalation import by_first_word
from tests.unit.services.engine.conftest import CPU, Bench

pytest.importorskip("transformers")

PLAIN = Signature(inputs=small_models.LABELS, targets=small_models.LABELS)
NAMED = Signature(inputs=small_models.LABELS, targets=small_models.LABELS, class_names=True)
ASKED = ("cat", "dog", "red bird")


class Named(Bench):
    """A bench with a text encoder, a version on it without names, and the same with them."""

    def __init__(self, folder: Path) -> None:
        text_encoder(folder / "small")
        self.stock = EncoderStock(EncoderShelf(folder), CPU)
        super().__init__()
        network = EncoderShelf(folder).resolved(EncoderSpec(encoder="small"))
        spec = AutoSpec(steps=25, tuning_lr=0.05)
        self.plain, self.named = (
            self.store.put(small_models.artifact(spec, signature, network)) for signature in (PLAIN, NAMED)
        )
        self.keeping = self.store.put(small_models.artifact(MatchingNetSpec(max_support=4), NAMED, network))
        self.models = ResidentModels(self.store, CPU, 1 << 20, self.stock)
        self.executor._models = self.models

    def asked(self, artifact: str, support: Support) -> AdaptPredictCall:
        return AdaptPredictCall(artifact, support, Array.of_texts(ASKED))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Named:
    torch.set_num_threads(1)
    return Named(tmp_path_factory.mktemp("encoders"))


def support(texts: list[str], slots: list[int]) -> Support:
    return Support(Array.of_texts(texts), Array.of(np.array(slots)), n_ways=max(slots) + 1)


def probabilities(reply: Reply) -> np.ndarray:
    assert isinstance(reply, PredictReply), reply
    assert reply.probabilities is not None
    return reply.probabilities.numpy()


EXAMPLES = support(["red", "blue", "one", "green"], [0, 1, 0, 1])
SILENT = support(["", "", "red", "blue", "one", "green"], [0, 1, 0, 1, 0, 1])
SPOKEN = support(["cat", "dog", "red", "blue", "one", "green"], [0, 1, 0, 1, 0, 1])


def test_without_words_nothing_is_added(bench: Named) -> None:
    (plain,) = bench.run(bench.asked(bench.plain, EXAMPLES))
    silent, spoken = bench.run(bench.asked(bench.named, SILENT), bench.asked(bench.named, SPOKEN))
    np.testing.assert_allclose(probabilities(silent), probabilities(plain), atol=1e-5)
    assert np.abs(probabilities(spoken) - probabilities(plain)).max() > 1e-3


def test_with_words_a_class_has_one_more_example(bench: Named) -> None:
    (spoken,) = bench.run(bench.asked(bench.named, support(["cat", "dog", "red", "blue"], [0, 1, 0, 1])))
    (shown,) = bench.run(bench.asked(bench.plain, support(["cat", "red", "dog", "blue"], [0, 0, 1, 1])))
    assert (probabilities(spoken).argmax(-1) == probabilities(shown).argmax(-1)).all()


def test_among_others_a_call_is_answered_as_alone(bench: Named) -> None:
    others = support(["", "dog", "", "one", "two", "three", "fish"], [0, 1, 2, 0, 1, 2, 2])
    calls = [bench.asked(bench.named, one) for one in (SPOKEN, others, SILENT)]
    for one, together in zip(calls, bench.run(*calls), strict=True):
        (alone,) = bench.run(one)
        np.testing.assert_allclose(probabilities(together), probabilities(alone), atol=1e-5)


def test_the_support_loss_is_of_examples(bench: Named) -> None:
    silent = bench.adapt(AdaptCall(bench.named, SILENT))
    plain = bench.adapt(AdaptCall(bench.plain, EXAMPLES))
    assert silent.support_loss == pytest.approx(plain.support_loss, abs=1e-5)


def test_a_version_is_tried_with_names(bench: Named) -> None:
    (status,) = bench.run(InspectCall(bench.named))
    assert isinstance(status, EngineStatus), status


def test_what_does_not_begin_with_names_is_refused(bench: Named) -> None:
    for artifact, given, words in (
        (bench.named, EXAMPLES.__class__(EXAMPLES.inputs, Array.of(np.array([1, 0, 0, 1])), 2), "names"),
        (bench.keeping, SPOKEN, "keeps 4"),
    ):
        (fault,) = bench.run(bench.asked(artifact, given))
        assert isinstance(fault, EngineFault)
        assert words in fault.detail


def test_an_encoder_is_tuned_to_examples_and_names(bench: Named) -> None:
    """Five examples a class without names, for which names do not count; and names that mislead are outvoted."""
    texts, targets = by_first_word(36)
    slots = [0, 1, 2, *targets.tolist()]
    options = {"escalate": "lora"}
    few = AdaptCall(bench.named, support(["a", "b", "c", *texts[:14]], slots[:17]), options)
    (reply,) = bench.executor.run([few])
    assert isinstance(reply, AdaptReply)
    assert reply.escalation is None
    (reply,) = bench.executor.run(
        [AdaptCall(bench.named, support(["cat", "", "bird", *texts], slots), options)]
    )
    while isinstance(reply, Sliced):
        (reply,) = bench.executor.run([reply])
    assert isinstance(reply, AdaptReply)
    assert reply.escalation is not None
    assert reply.escalation.encoder == "lora"
