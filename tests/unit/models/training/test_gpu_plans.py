"""A GPU's plans, without one: recordings are stood in for, so it shows what is recorded and who is chosen."""

from pathlib import Path

import msgspec
import pytest
import torch

from models.programs.folder import ProgramFolder
from models.spec import Conv4Spec, LearnerSpec, MamlSpec, RidgeSpec
from models.training import graph_plan as graph_plan_module
from models.training import planner as planner_module
from models.training.blocks import Block
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.gpu_plans import gpu_plan, gpu_plan_names
from models.training.graph_plan import GraphPlan
from models.training.meta_trainer import MetaTrainer, Stretch
from models.training.outer_step import OuterState
from models.training.planner import Planner
from models.training.plans import Plan
from tests.eager_recording import EagerRecording
from tests.unit.models.training.conftest import LEARNER, MakeTrainer, program_of


@pytest.fixture(autouse=True)
def stood_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_plan_module, "Recording", EagerRecording)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A GPU of 1000 cores")


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What a step takes by each plan."""
    seconds = {"vmap": 0.01, "cuda_graph": 0.001}

    def of_a_step(plan: Plan, state: OuterState, block: Block, steps: int = 1) -> float:
        return seconds[plan.name]

    monkeypatch.setattr(planner_module, "seconds_a_step", of_a_step)
    return seconds


def _graph(trainer: MetaTrainer) -> GraphPlan:
    plan = gpu_plan("cuda_graph", program_of(trainer), trainer)
    assert isinstance(plan, GraphPlan)
    return plan


def _begun(trainer: MetaTrainer, folder: Path) -> Planner:
    """As if the trainer lay on a GPU."""
    trainer.device = torch.device("cuda")
    planner = Planner(trainer, program_of(trainer), ProgramFolder(folder, "none"))
    planner.begin()
    return planner


def test_recorded_steps_are_the_steps_across_blocks_and_cuts(make_trainer: MakeTrainer) -> None:
    plain, recorded = make_trainer(), make_trainer()
    for trainer in (plain, recorded):
        # Blocks of three, so that runs begin and end within them.
        trainer.blocks.length = 3
    recorded.use(_graph(recorded))
    for count in (2, 4, 1, 6):
        mine, theirs = recorded.run(count), plain.run(count)
        assert mine == pytest.approx(theirs, rel=1e-6)
        torch.testing.assert_close(recorded.outer_state.params, plain.outer_state.params)
        torch.testing.assert_close(recorded.outer_state.exp_avg_sq, plain.outer_state.exp_avg_sq)


def test_recording_and_trying_a_plan_leave_the_run_as_it_is(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer()
    before = encode_checkpoint(trainer.state())
    plan = _graph(trainer)
    plan.run(trainer.outer_state, trainer.blocks.at(0), 0, 5)
    assert encode_checkpoint(trainer.state()) == before


def test_the_faster_plan_is_chosen_remembered_and_on_record(
    make_trainer: MakeTrainer, tmp_path: Path, seconds: dict[str, float]
) -> None:
    first = make_trainer()
    _begun(first, tmp_path)
    first.device = torch.device("cpu")
    first.run(5)
    assert first.stretches == (Stretch(0, "cuda_graph"),)
    seconds["cuda_graph"] = 1.0
    again, resumed, elsewhere = make_trainer(), make_trainer(), make_trainer()
    _begun(again, tmp_path)
    assert again.plan.name == "cuda_graph", "remembered"
    _begun(elsewhere, tmp_path / "another")
    assert elsewhere.plan.name == "vmap", "measured"
    resumed.restore(decode_checkpoint(encode_checkpoint(first.state())))
    _begun(resumed, tmp_path / "third")
    assert resumed.plan.name == "cuda_graph", "on record"


def test_where_nothing_can_be_recorded_a_run_is_eager(
    make_trainer: MakeTrainer, tmp_path: Path, seconds: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EagerRecording, "refuses", True)
    trainer = make_trainer()
    planner = _begun(trainer, tmp_path)
    assert trainer.plan.name == "vmap"
    planner.turn()
    assert trainer.plan.name == "vmap"


def test_a_plan_that_computes_something_else_is_not_chosen(
    make_trainer: MakeTrainer, tmp_path: Path, seconds: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = GraphPlan.run

    def wrong(self: GraphPlan, *given: object) -> tuple[OuterState, torch.Tensor]:
        state, metrics = honest(self, *given)  # type: ignore[arg-type]
        return state._replace(exp_avg=state.exp_avg * 1.01), metrics

    monkeypatch.setattr(GraphPlan, "run", wrong)
    trainer = make_trainer()
    _begun(trainer, tmp_path)
    assert trainer.plan.name == "vmap"


def test_patches_are_tried_where_tasks_have_convolutions_of_their_own(make_trainer: MakeTrainer) -> None:
    program = program_of(make_trainer())
    assert gpu_plan_names(program) == ("vmap", "cuda_graph")
    for algorithm, count in ((MamlSpec(), 3), (RidgeSpec(), 2)):
        learner = LearnerSpec(algorithm=algorithm, network=Conv4Spec(hidden=8))
        assert len(gpu_plan_names(msgspec.structs.replace(program, learner=learner))) == count
    assert gpu_plan("loop", program, make_trainer()) is None
    assert LEARNER.network != Conv4Spec()
