"""Which ways a program is recorded in. Recordings are stood in for: no GPU is needed."""

import msgspec
import pytest
import torch

from models.build import build_learner
from models.spec import Conv4Spec, LearnerSpec, MamlSpec, MlpSpec, ProtoNetSpec
from services.engine import recorder as recorder_module
from services.engine.line import Plan
from services.engine.programs import ProgramSpec, build_program, example_tensors
from services.engine.recorder import Recorder
from tests.eager_recording import EagerRecording
from tests.small_models import LINE, PICTURES

MAML = LearnerSpec(algorithm=MamlSpec(inner_steps=1), network=MlpSpec(hidden=(8,)))
LINES = ProgramSpec(kind="adapt", learner=MAML, signature=LINE, max_ways=None, support=4)
CONV4 = LearnerSpec(algorithm=MamlSpec(inner_steps=1), network=Conv4Spec(hidden=8))
IMAGES = ProgramSpec(kind="adapt", learner=CONV4, signature=PICTURES, max_ways=3, support=3, ways=3)
PROTOTYPES = msgspec.structs.replace(
    IMAGES, learner=LearnerSpec(algorithm=ProtoNetSpec(), network=Conv4Spec(hidden=8)), max_ways=None
)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def stood_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "Recording", EagerRecording)
    monkeypatch.setattr(recorder_module, "shared_pool", lambda: None)


def _recorded(spec: ProgramSpec, precision: str = "float32") -> dict[Plan, float]:
    """The plans that were recorded, and how far each one's row is from the program's own."""
    learner = build_learner(spec.learner, spec.signature, spec.max_ways)
    params = learner.init(torch.Generator().manual_seed(0))
    tensors = [
        torch.rand_like(one) if one.is_floating_point() else one for one in example_tensors(spec, 2, 0, CPU)
    ]
    expected = build_program(spec, params).together(params, tensors)[0]
    made = Recorder(precision, 1 << 20).recordings(spec, params, tensors)  # type: ignore[arg-type]
    given = [*(params[name] for name in sorted(params)), *tensors]
    distances = {}
    for one in made:
        assert one.size > 0
        distances[one.plan] = float((one.run(*given)[0] - expected).abs().max())
        assert distances[one.plan] <= one.tolerance
    return distances


@pytest.mark.parametrize(
    ("spec", "plans"),
    [
        (LINES, {Plan.GRAPH}),
        (IMAGES, {Plan.GRAPH, Plan.GRAPH_PATCHES}),
        (PROTOTYPES, {Plan.GRAPH}),
    ],
)
def test_each_way_that_fits_is_recorded_and_computes_the_same(spec: ProgramSpec, plans: set[Plan]) -> None:
    found = _recorded(spec)
    assert set(found) == plans
    assert max(found.values()) <= 1e-5


def test_bfloat16_is_tried_where_it_was_asked_for() -> None:
    assert Plan.GRAPH_BFLOAT16 not in _recorded(LINES)
    found = _recorded(LINES, "bfloat16")
    assert found[Plan.GRAPH_BFLOAT16] > 0


def test_what_cannot_be_recorded_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EagerRecording, "refuses", True)
    assert _recorded(IMAGES) == {}
