"""What cannot be answered is a fault of its own call, and says why; the others are answered."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from models.spec import Signature
from services.engine.messages import (
    AdaptCall,
    AdaptReply,
    Array,
    EngineFault,
    InspectCall,
    PredictCall,
    PredictReply,
    Support,
)
from services.engine.passes import Passes
from services.storage.manifest import decode_artifact, encode_artifact
from tests import small_models
from tests.small_models import LINE, POINTS
from tests.unit.services.engine.conftest import Bench
from tests.unit.services.engine.drawn import LINE_OF_FOUR, inputs_of, support_of

BAD_CALLS = {
    "width": Support(Array.of(np.zeros((4, 2), np.float32)), LINE_OF_FOUR.targets),
    "lengths": Support(LINE_OF_FOUR.inputs, Array.of(np.zeros((3, 1), np.float32))),
    "datatype": Support(LINE_OF_FOUR.inputs, Array.of(np.zeros(4, np.int64))),
    "bytes": Support(LINE_OF_FOUR.inputs, Array("float32", (4, 1), memoryview(b"1234"))),
    "huge": Support(Array.of(np.full((4, 1), 1e30, np.float32)), LINE_OF_FOUR.targets),
}


@pytest.mark.parametrize("bad", BAD_CALLS.values(), ids=BAD_CALLS)
def test_a_poisoned_call_fails_alone(bench: Bench, bad: Support) -> None:
    model = bench.store.put(small_models.regression_maml())
    good = AdaptCall(model, LINE_OF_FOUR)
    replies = bench.run(good, AdaptCall(model, bad), good)
    assert [type(reply) for reply in replies] == [AdaptReply, EngineFault, AdaptReply]
    assert replies[1].code == "invalid"
    assert replies[0].digest == replies[2].digest
    np.testing.assert_allclose(replies[0].support_loss, bench.adapt(good).support_loss, rtol=1e-4)


@pytest.mark.parametrize(
    ("slots", "ways"), [([0, 1, 3, 0], 3), ([0, -1, 1, 0], 2), ([0, 1, 2, 3], 0), ([0, 1, 2, 3], 6)]
)
def test_class_slots_that_cannot_be_are_refused(bench: Bench, slots: list[int], ways: int) -> None:
    model = bench.store.put(small_models.points_maml(max_ways=5))
    support = Support(inputs_of(POINTS, 4, 0), Array.of(np.array(slots, np.int64)), n_ways=ways)
    (fault,) = bench.run(AdaptCall(model, support))
    assert isinstance(fault, EngineFault)
    assert fault.code == "invalid"


def test_an_inner_loop_that_diverges_says_so(bench: Bench) -> None:
    model = bench.store.put(small_models.regression_maml())
    (fault,) = bench.run(AdaptCall(model, LINE_OF_FOUR, {"inner_lr": 10.0, "inner_steps": 200}))
    assert isinstance(fault, EngineFault)
    assert fault.code == "invalid"
    assert "inner_lr 10 over 200 steps" in fault.detail
    assert len(bench.adapted) == 0


def test_an_answer_that_is_not_finite_is_refused_alone(bench: Bench) -> None:
    manifest, params = decode_artifact(small_models.regression_maml())
    steep = {name: np.full_like(value, 1e8) for name, value in params.items()}
    model = bench.store.put(encode_artifact(steep, manifest))
    digest = bench.adapt(AdaptCall(model, LINE_OF_FOUR, {"inner_steps": 0})).digest
    far, near = (
        PredictCall(model, digest, Array.of(np.full((1, 1), value, np.float32))) for value in (1e25, 1.0)
    )
    fault, answer = bench.run(far, near)
    assert isinstance(answer, PredictReply)
    assert isinstance(fault, EngineFault)
    assert fault.code == "invalid"


def test_what_storage_does_not_have_is_missing(bench: Bench) -> None:
    model = bench.store.put(small_models.regression_maml())
    query = inputs_of(LINE, 1, 0)
    no_model, no_params = (
        bench.run(PredictCall(artifact, "0" * 64, query))[0] for artifact in ("f" * 64, model)
    )
    assert isinstance(no_model, EngineFault)
    assert isinstance(no_params, EngineFault)
    assert (no_model.code, no_params.code) == ("missing", "missing")


def test_damaged_parameters_are_never_served(bench: Bench) -> None:
    model = bench.store.put(small_models.regression_maml())
    digest = bench.adapt(AdaptCall(model, LINE_OF_FOUR)).digest
    bench.kept[digest] = bench.kept[digest][:-4] + b"\x01\x02\x03\x04"
    bench.restart()
    (fault,) = bench.run(PredictCall(model, digest, inputs_of(LINE, 1, 0)))
    assert isinstance(fault, EngineFault)
    assert fault.code == "missing"
    assert "damaged" in fault.detail


def test_a_file_whose_weights_are_anothers_is_refused(bench: Bench) -> None:
    manifest, params = decode_artifact(small_models.regression_maml())
    params.pop(sorted(params)[0])
    (fault,) = bench.run(InspectCall(bench.store.put(encode_artifact(params, manifest))))
    assert isinstance(fault, EngineFault)
    assert fault.code == "invalid"
    assert "rebuilt" in fault.detail


def _clumsy(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let every adapt pass fail that has a call with options in it."""
    honest = Passes.adapt

    def clumsy(self, model, calls, starts):  # type: ignore[no-untyped-def]
        if any(call.options for call in calls):
            raise error
        return honest(self, model, calls, starts)

    monkeypatch.setattr(Passes, "adapt", clumsy)


@pytest.mark.parametrize(
    ("error", "code"),
    [(RuntimeError("kernel trouble"), "internal"), (torch.OutOfMemoryError("kernel trouble"), "invalid")],
)
def test_a_failure_of_a_pass_is_contained(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    model = bench.store.put(small_models.regression_maml())
    _clumsy(monkeypatch, error)
    good, bad = AdaptCall(model, LINE_OF_FOUR), AdaptCall(model, LINE_OF_FOUR, {"inner_steps": 2})
    replies = bench.run(good, bad, good)
    assert [type(reply) for reply in replies] == [AdaptReply, EngineFault, AdaptReply]
    assert replies[1].code == code
    assert "kernel" not in replies[1].detail


def test_a_lost_device_is_not_contained(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bench.store.put(small_models.regression_maml())
    _clumsy(monkeypatch, torch.AcceleratorError("device-side assert"))
    with pytest.raises(torch.AcceleratorError):
        bench.run(AdaptCall(model, LINE_OF_FOUR, {"inner_steps": 2}))


@pytest.mark.parametrize(
    ("make", "signature"), [(small_models.points_matchingnet, POINTS), (small_models.regression_anp, LINE)]
)
def test_more_examples_than_a_model_keeps_are_refused(
    bench: Bench, make: Callable[[], bytes], signature: Signature
) -> None:
    model = bench.store.put(make())
    fits, fails = bench.run(*(AdaptCall(model, support_of(signature, rows, 3, 0)) for rows in (16, 17)))
    assert isinstance(fits, AdaptReply)
    assert isinstance(fails, EngineFault)
    assert "17 examples; this model keeps 16 at most" in fails.detail
