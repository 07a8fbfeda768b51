"""Plans change where checkpoints are taken, on record; a run that follows the record has the same bytes.

Nothing is compiled here: a stand-in for the program takes the same steps, with other rounding.
"""

import itertools
import logging
from pathlib import Path

import msgspec
import pytest
import torch
from torch import Tensor

from models.programs.folder import Notes, ProgramFolder
from models.training import declared_planner as declared_planner_module
from models.training import planner as planner_module
from models.training import tracing
from models.training.blocks import Block
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.declared_planner import DeclaredPlanner
from models.training.meta_trainer import MetaTrainer, Stretch
from models.training.outer_step import OuterState
from models.training.planner import Planner
from models.training.plans import LoopPlan, Plan, VmapPlan
from tests.unit.models.training.conftest import SHORT, MakeTrainer, program_of

COMPILED = "compiled 0123"


class StandIn:
    """What a program does, with other rounding; `factor` makes it compute something else."""

    factor = 1.0
    name = COMPILED

    def __init__(self, trainer: MetaTrainer) -> None:
        self._vmap = VmapPlan(trainer.step)

    def run(self, state: OuterState, block: Block, place: int, count: int) -> tuple[OuterState, Tensor]:
        # Step by step: how many are taken in one call is the clock's to say, and must not be seen.
        metrics = []
        for at in range(place, place + count):
            after, found = self._vmap.run(state, block, at, 1)
            state = after._replace(exp_avg=after.exp_avg * self.factor, params=after.params * (1 + 2**-20))
            metrics.append(found)
        return state, torch.cat(metrics)


class Folder(ProgramFolder):
    """Takes requests and compiles nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "a compiler that is never started")
        self.requests: list[str] = []
        self.failed: str | None = None

    def compile(self, key: str, request: bytes) -> None:
        self.requests.append(key)

    def failure(self, key: str) -> str | None:
        return self.failed

    def provide(self, key: str) -> None:
        """As if the compiler had just ended."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{key}.pt2").write_bytes(b"program")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "compiled")


@pytest.fixture
def seconds() -> dict[str, float]:
    """What a step takes by each plan."""
    return {"vmap": 0.004, "loop": 0.1, COMPILED: 0.001}


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> None:
    """Trials with these times, programs by the stand-in, and traces from the third step on."""

    def of_a_step(plan: Plan, state: OuterState, block: Block, steps: int = 1) -> float:
        return seconds[plan.name] * block.episodes[0].shape[1]

    monkeypatch.setattr(planner_module, "seconds_a_step", of_a_step)
    monkeypatch.setattr(Planner, "_load", lambda self: _loaded(self))
    monkeypatch.setattr(planner_module, "pays_to_load", lambda *_: True)
    monkeypatch.setattr(planner_module, "has_compiler", lambda: True)
    monkeypatch.setattr(tracing, "PATIENCE", 2)


def _loaded(planner: Planner) -> StandIn | None:
    return StandIn(planner._trainer) if planner._folder.program(planner._key) else None


def _begun(trainer: MetaTrainer, folder: ProgramFolder) -> Planner:
    planner = Planner(trainer, program_of(trainer), folder)
    planner.begin()
    return planner


def _key(trainer: MetaTrainer) -> str:
    return program_of(trainer).key


def test_the_faster_eager_plan_is_found_and_remembered(
    make_trainer: MakeTrainer, folder: Folder, seconds: dict[str, float]
) -> None:
    trainer = make_trainer()
    _begun(trainer, folder)
    assert isinstance(trainer.plan, VmapPlan)
    seconds["loop"] = 0.001
    again, other = make_trainer(), make_trainer(msgspec.structs.replace(SHORT, meta_batch_size=5))
    _begun(again, folder)
    _begun(other, folder)
    assert isinstance(again.plan, VmapPlan), "remembered"
    assert isinstance(other.plan, LoopPlan), "measured"


def test_a_run_changes_to_its_program_at_a_checkpoint_and_says_so(
    make_trainer: MakeTrainer, folder: Folder
) -> None:
    trainer = make_trainer()
    planner = _begun(trainer, folder)
    trainer.run(10)
    folder.provide(_key(trainer))
    trainer.run(3)
    assert trainer.plan.name == "vmap"
    planner.turn()
    assert decode_checkpoint(encode_checkpoint(trainer.state())).keys() == trainer.state().keys()
    trainer.run(5)
    assert trainer.stretches == (Stretch(0, "vmap"), Stretch(13, COMPILED))
    assert folder.notes(_key(trainer)).verdict == "faster"


def test_a_resumed_run_follows_the_record_and_has_the_same_bytes(
    make_trainer: MakeTrainer, folder: Folder
) -> None:
    whole = make_trainer()
    planner = _begun(whole, folder)
    whole.run(13)
    folder.provide(_key(whole))
    planner.turn()
    kept = encode_checkpoint(whole.state())
    whole.run(27)
    # Killed right after that checkpoint, and taken up by a process that knows the checkpoint and the folder.
    second = make_trainer()
    second.restore(decode_checkpoint(kept))
    _begun(second, folder)
    assert second.plan.name == COMPILED
    second.run(27)
    assert encode_checkpoint(second.state()) == encode_checkpoint(whole.state())
    # The rounding differs, so following the record is what makes them equal.
    eager = make_trainer()
    eager.run(40)
    assert not torch.equal(eager.outer_state.params, whole.outer_state.params)


def test_the_next_job_starts_with_the_program(make_trainer: MakeTrainer, folder: Folder) -> None:
    first, second = make_trainer(), make_trainer()
    planner = _begun(first, folder)
    first.run(5)
    folder.provide(_key(first))
    planner.turn()
    _begun(second, folder)
    second.run(5)
    assert second.stretches == (Stretch(0, COMPILED),)


def test_where_the_program_is_gone_the_run_goes_on_and_says_how(
    make_trainer: MakeTrainer, folder: Folder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = make_trainer()
    planner = _begun(first, folder)
    folder.provide(_key(first))
    first.run(5)
    planner.turn()
    first.run(5)
    second = make_trainer()
    second.restore(first.state())
    with caplog.at_level(logging.WARNING):
        _begun(second, Folder(tmp_path / "another"))
    second.run(5)
    assert second.stretches == (Stretch(0, "vmap"), Stretch(5, COMPILED), Stretch(10, "vmap"))
    assert "not at hand" in caplog.text


@pytest.mark.parametrize(("factor", "time", "verdict"), [(1.1, 0.001, "failed"), (1.0, 0.0039, "slower")])
def test_a_program_that_is_wrong_or_no_faster_is_not_used_again(
    make_trainer: MakeTrainer,
    folder: Folder,
    seconds: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    factor: float,
    time: float,
    verdict: str,
) -> None:
    monkeypatch.setattr(StandIn, "factor", factor)
    seconds[COMPILED] = time
    for _ in range(2):
        trainer = make_trainer()
        planner = _begun(trainer, folder)
        trainer.run(5)
        folder.provide(_key(trainer))
        planner.turn()
        trainer.run(5)
        assert trainer.stretches == (Stretch(0, "vmap"),)
        assert folder.notes(_key(trainer)).verdict == verdict


def test_a_compiler_is_called_where_it_pays_and_not_for_a_short_job(
    make_trainer: MakeTrainer, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A twentieth of a second from one look at the clock to the next: what so few steps take, if they take 2.5 ms.
    clock = itertools.count(0.0, 0.05)
    monkeypatch.setattr(planner_module, "perf_counter", lambda: next(clock))
    trainer = make_trainer()
    planner = _begun(trainer, folder)
    trainer.run(20)
    planner.turn()
    assert folder.requests == []
    folder.note(_key(trainer), Notes(eager="vmap", eager_seconds=1000.0))
    again = make_trainer()
    planner = _begun(again, folder)
    again.run(20)
    planner.turn()
    assert folder.requests == [_key(again)]
    # A failure is over for this run, and may be tried again by one that comes when it would pay once more.
    folder.failed = "no space left"
    planner.turn()
    folder.failed = None
    planner.turn()
    assert folder.requests == [_key(again)]
    assert folder.notes(_key(again)).eager_seconds == 0.0


def test_without_a_compiler_training_stays_eager_and_says_so_once(
    make_trainer: MakeTrainer,
    folder: Folder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(planner_module, "has_compiler", lambda: False)
    monkeypatch.setattr(planner_module, "pays_to_compile", lambda *_: True)
    trainer = make_trainer()
    planner = _begun(trainer, folder)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            trainer.run(5)
            planner.turn()
    assert folder.requests == []
    assert caplog.text.count("no C++ compiler") == 1


def test_a_finished_run_turns_nowhere(make_trainer: MakeTrainer, folder: Folder) -> None:
    trainer = make_trainer()
    planner = _begun(trainer, folder)
    trainer.run(40)
    folder.provide(_key(trainer))
    planner.turn()
    assert trainer.stretches == (Stretch(0, "vmap"),)


def test_a_trial_leaves_no_trace_in_the_run(make_trainer: MakeTrainer, folder: Folder) -> None:
    plain, measured = make_trainer(), make_trainer()
    _begun(measured, folder)
    plain.run(40)
    measured.run(40)
    assert encode_checkpoint(plain.state()) == encode_checkpoint(measured.state())


def test_what_is_rounded_waits_for_no_compiler(
    make_trainer: MakeTrainer, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner_module, "has_compiler", lambda: True)
    monkeypatch.setattr(declared_planner_module, "has_compiler", lambda: True)
    for precision, asked in (("bfloat16", 0), ("float32", 1)):
        training = msgspec.structs.replace(SHORT, iterations=10_000_000, precision=precision)
        trainer = make_trainer(training)
        planner = DeclaredPlanner(trainer, program_of(trainer), folder)
        assert planner.ready() == (not asked)
        assert len(folder.requests) == asked
