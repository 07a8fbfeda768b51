"""Meta-training on a GPU: it learns, goes on from a checkpoint, and a recorded step is the step."""

from pathlib import Path

import msgspec
import pytest
import torch

from models.build import build_family, build_learner
from models.networks.kernels import Kernels
from models.programs.folder import ProgramFolder
from models.spec import (
    AlgorithmSpec,
    Conv4Spec,
    LabelledSpec,
    LearnerSpec,
    LocalMatchingSpec,
    MamlSpec,
    MlpSpec,
    NetworkSpec,
    ResNetMapsSpec,
    RidgeSpec,
    SinusoidSpec,
    TaskFamilySpec,
    max_ways_of,
    signature_of,
)
from models.tasks.labelled_data import LabelledData
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.compile_program import COMPILER
from models.training.config import TrainingSpec
from models.training.evaluation import meta_test
from models.training.gpu_plans import gpu_plan, gpu_plan_names
from models.training.graph_plan import GraphPlan
from models.training.meta_trainer import MetaTrainer
from models.training.planner import Planner
from models.training.plans import VmapPlan
from models.training.program import ProgramSpec
from tests.gpu.cuda import CPU, CUDA, apart, needs_cuda

pytestmark = needs_cuda

SINUSOIDS = SinusoidSpec(n_shot=10, n_query=10)
SHORT = TrainingSpec(iterations=60, meta_batch_size=8, meta_lr=0.01, schedule="cosine", seed=3)
PICTURES = LabelledData(
    torch.randint(0, 256, (400, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)),
    torch.arange(40).repeat_interleave(10),
    None,
    (),
)
MLP = MlpSpec(hidden=(40, 40))
CASES: dict[str, tuple[AlgorithmSpec, NetworkSpec, TaskFamilySpec]] = {
    "maml": (MamlSpec(inner_steps=2, inner_lr=0.01), MLP, SINUSOIDS),
    "ridge": (RidgeSpec(components=2), MLP, SINUSOIDS),
    "conv4": (
        MamlSpec(inner_steps=1, inner_lr=0.4),
        Conv4Spec(hidden=16),
        LabelledSpec(dataset="pictures", n_way=5, n_shot=1, n_query=3),
    ),
    "parts": (
        LocalMatchingSpec(max_support=5),
        ResNetMapsSpec(width=16, centred=True),
        LabelledSpec(dataset="pictures", n_way=5, n_shot=1, n_query=3, invented=0.5),
    ),
}


def _trainer(
    case: str, training: TrainingSpec = SHORT, device: torch.device = CUDA
) -> tuple[MetaTrainer, ProgramSpec]:
    algorithm, network, tasks = CASES[case]
    spec = LearnerSpec(algorithm=algorithm, network=network)
    data = PICTURES if isinstance(tasks, LabelledSpec) else None
    signature = signature_of(tasks, data.wire_shape if data else None)
    max_ways = max_ways_of(spec, tasks)
    learner = build_learner(spec, signature, max_ways)
    trainer = MetaTrainer(training, build_family(tasks, data), learner, device)
    return trainer, ProgramSpec.of(spec, signature, max_ways, trainer)


def _graph(trainer: MetaTrainer, program: ProgramSpec, name: str) -> GraphPlan:
    plan = gpu_plan(name, program, trainer)
    assert isinstance(plan, GraphPlan)
    return plan


def _meta_gradients_apart(one: MetaTrainer, other: MetaTrainer) -> float:
    mine, theirs = one.outer_state.exp_avg.cpu(), other.outer_state.exp_avg.cpu()
    return float((mine - theirs).norm() / theirs.norm())


@pytest.mark.parametrize("case", CASES)
def test_a_step_on_the_gpu_is_the_cpus(case: str) -> None:
    (here, _), (there, _) = _trainer(case), _trainer(case, device=CPU)
    assert here.run(1)["loss"] == pytest.approx(there.run(1)["loss"], rel=1e-4)
    assert _meta_gradients_apart(here, there) <= 1e-3


@pytest.mark.parametrize(
    ("case", "name"), [(case, name) for case in CASES for name in ("cuda_graph", "cuda_graph patches")]
)
def test_a_recorded_step_is_the_step(case: str, name: str) -> None:
    (eager, program), (recorded, _) = _trainer(case), _trainer(case)
    if name not in gpu_plan_names(program):
        pytest.skip("not a plan for it")
    recorded.use(_graph(recorded, program, name))
    # Three times, not in step with blocks, so that places and carried state are right.
    for count in (1, 3, 2):
        mine, theirs = recorded.run(count), eager.run(count)
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-4)
    assert _meta_gradients_apart(recorded, eager) <= 1e-2
    assert apart(eager.outer_state.params, recorded.outer_state.params) <= 1e-2


@pytest.mark.parametrize("case", CASES)
def test_the_planner_settles_on_a_plan_that_computes_the_same(case: str, tmp_path: Path) -> None:
    (trainer, program), (eager, _) = _trainer(case), _trainer(case)
    folder = ProgramFolder(tmp_path, COMPILER)
    planner = Planner(trainer, program, folder)
    planner.begin()
    assert trainer.plan.name in gpu_plan_names(program)
    assert trainer.run(3) == pytest.approx(eager.run(3), rel=1e-3, abs=1e-4)
    planner.turn()
    assert folder.busy is False
    # One that goes on from its checkpoint does so by the plan on record.
    second, _ = _trainer(case)
    second.restore(decode_checkpoint(encode_checkpoint(trainer.state())))
    Planner(second, program, folder).begin()
    assert second.plan.name == trainer.plan.name


@pytest.mark.parametrize("plan", ["vmap", "cuda_graph"])
def test_a_run_goes_on_from_its_checkpoint(plan: str) -> None:
    (whole, program), (first, _), (second, _) = _trainer("maml"), _trainer("maml"), _trainer("maml")
    for trainer in (whole, first, second):
        trainer.use(VmapPlan(trainer.step) if plan == "vmap" else _graph(trainer, program, plan))
    whole.run(20)
    first.run(7)
    second.restore(decode_checkpoint(encode_checkpoint(first.state())))
    second.run(13)
    assert second.iteration == whole.iteration
    assert apart(whole.outer_state.params, second.outer_state.params) <= 1e-4


@pytest.mark.parametrize("plan", ["vmap", "cuda_graph"])
def test_it_learns_the_sinusoids(plan: str) -> None:
    """Ridge on learned features, for so few iterations that anything but learning would fail."""
    training = msgspec.structs.replace(SHORT, iterations=400, meta_batch_size=25)
    trainer, program = _trainer("ridge", training)
    try:
        trainer.use(VmapPlan(trainer.step) if plan == "vmap" else _graph(trainer, program, plan))
        trainer.run(400)
    except RuntimeError as error:
        if type(error).__name__ != "NotRecordable":
            raise
        pytest.skip(f"closed forms are not recordable here: {error}")
    algorithm, network, tasks = CASES["ridge"]
    scores = meta_test(
        LearnerSpec(algorithm=algorithm, network=network),
        signature_of(tasks),
        None,
        trainer.meta_params,
        build_family(tasks),
        episodes=100,
        seed=1,
        device=CUDA,
    )
    assert scores["loss"] < 0.5, scores


def test_patches_are_the_convolution() -> None:
    trainer, program = _trainer("conv4")
    learners = [
        build_learner(program.learner, program.signature, program.max_ways, Kernels(convolution=kind))
        for kind in ("library", "patches")
    ]
    params = {name: value.to(CUDA) for name, value in trainer.meta_params.items()}
    losses = [learner.meta_loss(params, trainer.blocks.example)[0] for learner in learners]
    assert apart(losses[0], losses[1]) <= 1e-5
