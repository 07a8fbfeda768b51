"""Two jobs of one seed give the same bytes, whenever the compiler is done. Nothing is compiled here."""

from pathlib import Path

import msgspec
import pytest

from models.programs.folder import ProgramFolder
from models.training import declared_planner
from models.training.planner import Planner
from services.jobs.records import Job
from services.jobs.states import JobState
from services.storage.manifest import decode_artifact
from tests.unit.models.training.test_planner import COMPILED, StandIn
from tests.unit.services.jobs.conftest import SETTINGS, Bench, Hand, small

# A checkpoint after every step or so: where a measured run would turn.
OFTEN = SETTINGS.model_copy(update={"worker_checkpoint_seconds": 1e-3, "worker_report_seconds": 1e-3})


class Slow(ProgramFolder):
    """Its compiler is done when it has been looked at `looks` times more."""

    def __init__(self, folder: Path, looks: int, failure: str | None = None) -> None:
        super().__init__(folder, "a compiler that is never started")
        self.looks = looks
        self.said = failure
        self.requests = 0

    def compile(self, key: str, request: bytes) -> None:
        self.requests += 1

    def failure(self, key: str) -> str | None:
        return self.said if self.requests else None

    def program(self, key: str) -> Path | None:
        self.looks -= 1
        if self.looks == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"{key}.pt2").write_bytes(b"program")
        return super().program(key)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs by a stand-in of other rounding, for every run that asks for one."""

    def load(planner: Planner) -> StandIn | None:
        return StandIn(planner._trainer) if planner._folder.program(planner._key) else None

    monkeypatch.setattr(Planner, "_load", load)
    monkeypatch.setattr(declared_planner, "declared", lambda *_: "compiled")
    monkeypatch.setattr(declared_planner, "has_compiler", lambda: True)
    monkeypatch.setattr("models.training.planner.has_compiler", lambda: True)
    monkeypatch.setattr("services.jobs.session._WAIT_S", 1e-3)


def carried(bench: Bench, folder: ProgramFolder, model: str, seed: int = 3) -> Job:
    hand = Hand(bench, settings=OFTEN, programs=folder)
    job = bench.jobs.submit(small(model, seed=seed))
    ended = hand.carry(job)
    assert ended.status is JobState.SUCCEEDED, ended.error
    return ended


def learned(bench: Bench, model: str) -> dict[str, bytes]:
    """Every meta-parameter's bytes."""
    version = bench.registry.resolve(model)
    _, arrays = decode_artifact(bench.artifacts.read(version.artifact_sha256))
    return {name: array.tobytes() for name, array in arrays.items()}


def plans(bench: Bench, model: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = msgspec.to_builtins(bench.registry.resolve(model).training["plans"])
    return found


def test_a_run_that_waits_for_its_program_equals_one_that_finds_it(bench: Bench, tmp_path: Path) -> None:
    slow = Slow(tmp_path / "compiled", looks=9)
    waited = carried(bench, slow, "waited")
    assert slow.requests == 1
    carried(bench, ProgramFolder(slow.folder, "no compiler"), "found")
    carried(bench, ProgramFolder(slow.folder, "no compiler"), "other", seed=4)
    assert learned(bench, "waited") == learned(bench, "found") != learned(bench, "other")
    assert plans(bench, "waited") == plans(bench, "found") == [{"first": 0, "plan": COMPILED}]
    told = [event.data["message"] for event in bench.jobs.events(waited.id).data if event.type == "log"]
    assert sum("waits for the program" in message for message in told) == 1


def test_where_the_compiler_fails_the_run_is_eager_and_says_so(bench: Bench, tmp_path: Path) -> None:
    carried(bench, Slow(tmp_path / "compiled", looks=0, failure="no space left"), "failed")
    assert plans(bench, "failed") == [{"first": 0, "plan": "vmap"}]


def test_a_wrong_program_is_not_used_and_not_asked_for_again(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StandIn, "factor", 1.1)
    slow = Slow(tmp_path / "compiled", looks=3)
    carried(bench, slow, "first")
    carried(bench, slow, "second")
    assert plans(bench, "first") == plans(bench, "second") == [{"first": 0, "plan": "vmap"}]
    assert learned(bench, "first") == learned(bench, "second")
    assert slow.requests == 1


def test_measured_plans_depend_on_when_the_compiler_is_done(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above is about: with them the same two runs differ."""
    monkeypatch.setattr("models.training.planner.is_clearly_faster", lambda *_: True)
    monkeypatch.setattr("models.training.planner.pays_to_compile", lambda *_: True)
    monkeypatch.setattr("models.training.planner.pays_to_load", lambda *_: True)
    measured = OFTEN.model_copy(update={"worker_plans": "measured"})
    folder = Slow(tmp_path / "compiled", looks=4)
    for model in ("first", "second"):
        hand = Hand(bench, settings=measured, programs=folder)
        assert hand.carry(bench.jobs.submit(small(model, seed=3))).status is JobState.SUCCEEDED
    assert learned(bench, "first") != learned(bench, "second")
