"""The workshop: a real program, traced and compiled by a real child, found again, and a child that goes with us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from models.build import build_learner
from models.programs.folder import ProgramFolder, has_compiler
from models.spec import LearnerSpec, MamlSpec, MlpSpec
from services.engine.compiling import COMPILER
from services.engine.programs import ProgramSpec, build_program
from services.engine.workshop import Workshop
from tests.small_models import LINE

CPU = torch.device("cpu")
LEARNER = LearnerSpec(algorithm=MamlSpec(inner_steps=2), network=MlpSpec(hidden=(8,)))
SPEC = ProgramSpec(kind="adapt", learner=LEARNER, signature=LINE, max_ways=None, support=4)
PATIENCE_S = 150.0


def _workshop(folder: Path) -> Workshop:
    return Workshop(ProgramFolder(folder / "compiled", COMPILER), CPU, threads=1)


def _until(condition, what: str) -> None:  # type: ignore[no-untyped-def]
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, f"no {what} in {PATIENCE_S} s"
        time.sleep(0.1)


@pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler here")
def test_a_compiled_program_answers_as_the_eager_one_and_is_found_again(tmp_path: Path) -> None:
    params = build_learner(LEARNER, LINE).init(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    tensors = [
        torch.randn(4, 4, 1, generator=generator),
        torch.randn(4, 4, 1, generator=generator),
        torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]),
        torch.zeros(4, 0),
    ]
    eager = build_program(SPEC, params).together(params, tensors)

    workshop = _workshop(tmp_path)
    try:
        assert workshop.find(SPEC, 4) is None
        workshop.ask(SPEC, 4)
        _until(lambda: workshop.find(SPEC, 4) is not None, "compiled program")
        assert workshop.find(SPEC, 1) is None
    finally:
        workshop.close()
    assert (tmp_path / "compiled").stat().st_mode & 0o077 == 0

    again = _workshop(tmp_path)
    compiled = again.find(SPEC, 4)
    assert compiled is not None
    for mine, theirs in zip(
        eager, compiled(*(params[name] for name in sorted(params)), *tensors), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)

    again.reject(SPEC, 4, 1.0)
    assert again.find(SPEC, 4) is None
    again.ask(SPEC, 4)
    assert again._under_way is None


def test_what_cannot_be_compiled_is_not_tried_again(tmp_path: Path) -> None:
    workshop = _workshop(tmp_path)
    bad = ProgramSpec(kind="go_on", learner=LEARNER, signature=LINE, max_ways=None, support=-1)
    workshop.ask(bad, 1)
    _until(lambda: workshop.find(bad, 1) is None and workshop._under_way is None, "end of the child")
    workshop.ask(bad, 1)
    assert workshop._under_way is None
    workshop.close()


HOLDER = """
import sys, time
from pathlib import Path
from tests.unit.services.engine.test_workshop import SPEC, _workshop
workshop = _workshop(Path(sys.argv[1]))
workshop.ask(SPEC, 64)
print(workshop._folder._compiling.pid, flush=True)
time.sleep(600)
"""


def test_the_child_ends_with_the_engine_however_that_ends(tmp_path: Path) -> None:
    engine = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[4]
    )
    assert engine.stdout is not None
    child = int(engine.stdout.readline())
    os.kill(child, 0)
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    engine.stdout.close()

    def is_gone() -> bool:
        try:
            return Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True

    _until(is_gone, "end of the child")
