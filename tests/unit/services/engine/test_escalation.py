"""Adaptations that tune their encoder: in slices, kept with their factors, and right beside those that do not."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from prometheus_client import CollectorRegistry

from models.encoders.shelf import EncoderShelf
from models.encoders.stock import EncoderStock
from models.spec import AutoSpec, EncoderSpec, Signature, TensorSpec
from models.spec.algorithms import auto
from services.engine.batching import DeviceCall, Lane, Sliced, key_of, lane_of
from services.engine.loop import EngineLoop
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    Array,
    PredictCall,
    PredictReply,
    Reply,
    Support,
)
from services.engine.residents import ResidentModels
from services.engine.settings import EngineSettings
from services.telemetry.metrics import EngineMetrics
from tests import small_models
from tests.small_encoders import WIDTH, text_encoder
from tests.unit.models.algorithms.test_escalation import by_first_word
from tests.unit.services.engine.conftest import CPU, Bench

pytest.importorskip("transformers")

TEXTS = Signature(inputs=TensorSpec(datatype="BYTES", shape=(-1,)), targets=small_models.LABELS)
LORA = {"escalate": "lora"}
ASKED, TRUTH = by_first_word(30, seed=1)


class Escalating(Bench):
    """A bench with a text encoder, and a version on it."""

    def __init__(self, folder: Path) -> None:
        text_encoder(folder / "small")
        self.stock = EncoderStock(EncoderShelf(folder), CPU)
        super().__init__()
        network = EncoderShelf(folder).resolved(EncoderSpec(encoder="small"))
        assert network.width == WIDTH
        spec = AutoSpec(steps=25, tuning_lr=0.05)
        self.artifact = self.store.put(small_models.artifact(spec, TEXTS, network))

    def restart(self, *sizes: int) -> None:  # type: ignore[override]
        super().restart(*sizes)
        self.models = ResidentModels(self.store, CPU, 1 << 20, self.stock)
        self.executor._models = self.models

    def call(self, options: dict[str, Any], *, meaningless: bool = False) -> AdaptCall:
        texts, targets = by_first_word(36)
        if meaningless:
            targets = torch.randint(3, (36,), generator=torch.Generator().manual_seed(0))
        support = Support(Array.of_texts(texts), Array.of(targets.numpy()), n_ways=3)
        return AdaptCall(self.artifact, support, options)

    def whole(self, call: DeviceCall) -> tuple[Reply, int]:
        """The reply, and how many slices came before it."""
        slices = 0
        (reply,) = self.executor.run([call])
        while isinstance(reply, Sliced):
            slices += 1
            (reply,) = self.executor.run([reply])
        if isinstance(reply, AdaptReply):
            self.kept[reply.digest] = bytes(reply.params)
        return reply, slices

    def ask(self, *digests: str) -> list[np.ndarray[Any, Any]]:
        """Probabilities by each, all asked in one pass."""
        asked = Array.of_texts(ASKED)
        replies = self.run(*(PredictCall(self.artifact, digest, asked) for digest in digests))
        found = []
        for reply in replies:
            assert isinstance(reply, PredictReply), reply
            assert reply.probabilities is not None
            found.append(reply.probabilities.numpy())
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Escalating, AdaptReply, AdaptReply]:
    """The bench, and one support set's adaptations by the encoder as it is and by one that is tuned."""
    torch.set_num_threads(1)
    bench = Escalating(tmp_path_factory.mktemp("encoders"))
    frozen, slices = bench.whole(bench.call({}))
    assert slices == 0
    tuned, slices = bench.whole(bench.call(LORA))
    assert slices > 3 * 25
    assert isinstance(frozen, AdaptReply)
    assert isinstance(tuned, AdaptReply)
    return bench, frozen, tuned


def looped(bench: Escalating) -> EngineLoop:
    patient = EngineSettings(engine_timeout_seconds=600)
    return EngineLoop(bench.executor, patient, EngineMetrics(CollectorRegistry()))


def test_it_is_told_what_was_chosen_and_why(made: tuple[Escalating, AdaptReply, AdaptReply]) -> None:
    bench, frozen, tuned = made
    assert frozen.escalation is None
    assert tuned.escalation is not None
    assert tuned.escalation.encoder == "lora"
    assert tuned.escalation.lora is not None
    assert tuned.escalation.frozen is not None
    assert tuned.escalation.lora.log_likelihood > tuned.escalation.frozen.log_likelihood
    kept, _ = bench.whole(bench.call(LORA, meaningless=True))
    assert isinstance(kept, AdaptReply)
    assert kept.escalation is not None
    assert kept.escalation.encoder == "frozen"
    plain, _ = bench.whole(bench.call({}, meaningless=True))
    assert isinstance(plain, AdaptReply)
    assert kept.digest == plain.digest, "an encoder that stays leaves nothing behind"
    assert len(tuned.params) > 4 * len(frozen.params)


def test_tuned_and_others_are_asked_in_one_pass(made: tuple[Escalating, AdaptReply, AdaptReply]) -> None:
    bench, frozen, tuned = made
    together = bench.ask(frozen.digest, tuned.digest, frozen.digest)
    for found, digest in zip(together, (frozen.digest, tuned.digest, frozen.digest), strict=True):
        np.testing.assert_allclose(found, bench.ask(digest)[0], atol=1e-5)
    right = [float((one.argmax(-1) == TRUTH.numpy()).mean()) for one in together]
    assert right[1] > right[0] + 0.1
    assert right[2] == right[0]


def test_what_was_tuned_survives_the_engine(made: tuple[Escalating, AdaptReply, AdaptReply]) -> None:
    bench, frozen, tuned = made
    before = bench.ask(tuned.digest, frozen.digest)
    bench.restart()
    for found, expected in zip(bench.ask(tuned.digest, frozen.digest), before, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_in_one_call_as_in_two(made: tuple[Escalating, AdaptReply, AdaptReply]) -> None:
    bench, _, tuned = made
    call = bench.call(LORA)
    reply, slices = bench.whole(
        AdaptPredictCall(call.artifact, call.support, Array.of_texts(ASKED), call.options)
    )
    assert slices
    assert isinstance(reply, PredictReply)
    assert reply.probabilities is not None
    assert reply.escalation == tuned.escalation
    np.testing.assert_allclose(reply.probabilities.numpy(), bench.ask(tuned.digest)[0], atol=1e-5)


def test_what_would_take_too_long_is_the_frozen_answer_and_says_so(
    made: tuple[Escalating, AdaptReply, AdaptReply], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, frozen, _ = made
    monkeypatch.setattr(auto, "ESCALATION_WORK", 1)
    reply, _ = bench.whole(bench.call(LORA))
    assert isinstance(reply, AdaptReply)
    assert reply.digest == frozen.digest
    assert reply.escalation is not None
    assert (reply.escalation.encoder, reply.escalation.frozen, reply.escalation.lora) == (
        "frozen",
        None,
        None,
    )
    assert "not tried" in str(reply.escalation.reason)


def test_what_one_tuned_encoder_gave_is_not_taken_for_another_s(
    made: tuple[Escalating, AdaptReply, AdaptReply],
) -> None:
    """The same texts under other labels, right after: an engine that remembered them would fit other features."""
    bench, _, _ = made
    call = bench.call(LORA)
    assert isinstance(call.support, Support)
    targets = (call.support.targets.numpy() + 1) % 3
    other = AdaptCall(call.artifact, Support(call.support.inputs, Array.of(targets), 3), LORA)
    after, _ = bench.whole(other)
    bench.restart()
    alone, _ = bench.whole(other)
    assert isinstance(after, AdaptReply)
    assert isinstance(alone, AdaptReply)
    assert after.digest == alone.digest
    assert after.escalation is not None
    assert after.escalation.encoder == "lora"


def test_slices_go_behind_everybody(made: tuple[Escalating, AdaptReply, AdaptReply]) -> None:
    bench, _, _ = made
    (sliced,) = bench.executor.run([bench.call(LORA)])
    assert isinstance(sliced, Sliced)
    assert lane_of(key_of(sliced)) is Lane.BACKGROUND
    assert key_of(sliced) != key_of(sliced.call), "what a slice takes says nothing of a whole call"


def test_others_are_answered_between_two_slices(made: tuple[Escalating, AdaptReply, AdaptReply]) -> None:
    bench, frozen, _ = made
    loop = EngineLoop(
        bench.executor, EngineSettings(engine_timeout_seconds=600), EngineMetrics(CollectorRegistry())
    )
    order: list[str] = []
    done = threading.Semaphore(0)

    def answer(name: str) -> Any:
        def take(reply: Reply) -> None:
            assert isinstance(reply, AdaptReply | PredictReply), reply
            order.append(name)
            done.release()

        return take

    loop.submit(bench.call(LORA), answer("tuned"))
    for name in ("first", "second"):
        loop.submit(PredictCall(bench.artifact, frozen.digest, Array.of_texts(ASKED)), answer(name))
    loop.start()
    for _ in range(3):
        assert done.acquire(timeout=120)
    loop.stop()
    loop.join(60)
    assert order == ["first", "second", "tuned"]


@pytest.mark.parametrize("slices", [1, 5])
def test_a_caller_that_left_is_worked_for_no_more(
    made: tuple[Escalating, AdaptReply, AdaptReply], slices: int
) -> None:
    """Also while the first slice is run."""
    bench, frozen, _ = made
    loop = EngineLoop(
        bench.executor, EngineSettings(engine_timeout_seconds=600), EngineMetrics(CollectorRegistry())
    )
    ran: list[DeviceCall] = []
    other = PredictCall(bench.artifact, frozen.digest, Array.of_texts(ASKED))
    done = threading.Event()
    real = bench.executor.run

    def run(calls: list[DeviceCall]) -> Any:
        ran.extend(calls)
        if len(ran) == slices:
            loop.cancel("mine")
            loop.submit(other, lambda _reply: done.set())
        return real(calls)

    bench.executor.run = run  # type: ignore[method-assign,assignment]
    try:
        loop.submit(bench.call(LORA), lambda reply: pytest.fail(f"answered: {reply}"), "mine")
        loop.start()
        assert done.wait(120)
        loop.stop()
        loop.join(60)
    finally:
        del bench.executor.run  # type: ignore[method-assign]
    assert len(ran) == slices + 1
    assert ran[-1] is other
