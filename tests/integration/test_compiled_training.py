"""A program from a real compiler: the same training, the same bytes however it is called."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch

from models.build import build_family, build_learner
from models.programs.folder import Notes, ProgramFolder, has_compiler
from models.spec import LearnerSpec, MamlSpec, MlpSpec, SinusoidSpec, signature_of
from models.training import declared_planner
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.compile_program import COMPILER
from models.training.config import TrainingSpec
from models.training.declared_planner import DeclaredPlanner
from models.training.meta_trainer import MetaTrainer
from models.training.planner import Planner
from models.training.program import CompiledPlan, ProgramSpec

pytestmark = [pytest.mark.skipif(not has_compiler(), reason="no C++ compiler"), pytest.mark.timeout(900)]

TASKS = SinusoidSpec(n_shot=3, n_query=3)
LEARNER = LearnerSpec(algorithm=MamlSpec(), network=MlpSpec(hidden=(4,)))
TRAINING = TrainingSpec(iterations=100, meta_batch_size=3, meta_lr=0.01, schedule="cosine")


def trainer() -> MetaTrainer:
    return MetaTrainer(TRAINING, build_family(TASKS), build_learner(LEARNER, signature_of(TASKS)))


def program() -> ProgramSpec:
    return ProgramSpec.of(LEARNER, signature_of(TASKS), None, trainer())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProgramFolder]:
    """A folder that a process of its own has compiled the program into, which takes half a minute."""
    torch.set_num_threads(1)
    made, spec = ProgramFolder(tmp_path_factory.mktemp("compiled"), COMPILER), program()
    made.compile(spec.key, msgspec.json.encode(spec))
    while made.program(spec.key) is None:
        assert made.failure(spec.key) is None
        time.sleep(0.1)
    yield made
    made.close()


@pytest.fixture
def compiled(folder: ProgramFolder) -> CompiledPlan:
    path = folder.program(program().key)
    assert path is not None
    return CompiledPlan(path, metrics=2)


def test_it_trains_as_the_eager_plan_does(compiled: CompiledPlan) -> None:
    eager, fast = trainer(), trainer()
    fast.use(compiled)
    assert eager.run(20) == pytest.approx(fast.run(20), rel=1e-4)
    torch.testing.assert_close(eager.outer_state.params, fast.outer_state.params, rtol=1e-3, atol=1e-5)


def test_its_bytes_depend_on_nothing_but_its_file(compiled: CompiledPlan, folder: ProgramFolder) -> None:
    whole, cut = trainer(), trainer()
    whole.use(compiled)
    whole.run(100)
    cut.use(compiled)
    with torch.no_grad():
        cut.run(33)
    resumed = trainer()
    resumed.restore(decode_checkpoint(encode_checkpoint(cut.state())))
    Planner(resumed, program(), folder).begin()
    for count in (1, 40, 100):
        resumed.run(count)
    assert resumed.stretches == whole.stretches
    assert encode_checkpoint(resumed.state()) == encode_checkpoint(whole.state())


def test_a_run_measures_it_and_goes_over_to_it(folder: ProgramFolder) -> None:
    key = program().key
    run = trainer()
    folder.note(key, Notes(eager="vmap"))
    planner = Planner(run, program(), folder)
    planner.begin()
    run.run(10)
    planner.turn()
    run.run(10)
    assert [stretch.plan.split()[0] for stretch in run.stretches] == ["vmap", "compiled"]
    assert folder.notes(key).verdict == "faster"
    # What the compiler needed is gone; what it made is kept.
    assert not list(folder.folder.glob("*.building"))


def test_a_run_whose_plan_is_declared_has_the_same_bytes_twice(
    folder: ProgramFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declared_planner, "declared", lambda *_: "compiled")
    whole, cut = trainer(), trainer()
    for run, counts in ((whole, (100,)), (cut, (7, 30, 63))):
        planner = DeclaredPlanner(run, program(), folder)
        assert planner.ready()
        planner.begin()
        for count in counts:
            run.run(count)
            planner.turn()
    assert [stretch.plan.split()[0] for stretch in whole.stretches] == ["compiled"]
    assert encode_checkpoint(cut.state()) == encode_checkpoint(whole.state())


def test_what_is_no_program_is_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    damaged, run = ProgramFolder(tmp_path, COMPILER), trainer()
    (tmp_path / f"{program().key}.pt2").write_bytes(b"half a file")
    planner = Planner(run, program(), damaged)
    planner.begin()
    run.run(10)
    planner.turn()
    run.run(10)
    assert [stretch.plan for stretch in run.stretches] == ["vmap"]
    assert "could not be loaded" in caplog.text
