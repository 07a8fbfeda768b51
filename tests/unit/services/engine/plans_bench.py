"""What the tests of plans share: time that passes, a workshop and a recorder that stand in, and wrong programs."""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from models.build import build_learner
from models.spec import LearnerSpec, MamlSpec, MlpSpec
from services.engine.line import Plan, Recorded
from services.engine.plans import Plans
from services.engine.programs import Program, ProgramSpec, build_program, example_tensors
from tests.small_models import LINE

CPU = torch.device("cpu")
LEARNER = LearnerSpec(algorithm=MamlSpec(inner_steps=2), network=MlpSpec(hidden=(8,)))
META = build_learner(LEARNER, LINE).init(torch.Generator().manual_seed(0))
SPEC = ProgramSpec(kind="adapt", learner=LEARNER, signature=LINE, max_ways=None, support=4)
PROGRAM = build_program(SPEC, META)
_TOGETHER = Program.together  # as it is before a test makes it cost something


def tensors_of(tasks: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs, targets = (torch.randn(tasks, 4, 1, generator=generator) for _ in range(2))
    _, _, _, class_mask = example_tensors(SPEC, tasks, 0, CPU)
    return [inputs, targets, torch.ones(tasks, 4), class_mask]


class Clock:
    """Time goes by as programs run: so much a task for each plan."""

    def __init__(self, **seconds: float) -> None:
        self.now = 0.0
        self.seconds = seconds

    def __call__(self) -> float:
        return self.now

    def costs(self, plan: str, run: Callable[..., Sequence[Tensor]]) -> Callable[..., Sequence[Tensor]]:
        def costly(*given: object) -> Sequence[Tensor]:
            outputs = run(*given)
            self.now += self.seconds[plan] * len(outputs[0])
            return outputs

        return costly


class FakeWorkshop:
    """Has a program once it was asked for, and `patience` looks later."""

    def __init__(self, compiled: Callable[..., Sequence[Tensor]], patience: int = 3) -> None:
        self.compiled = compiled
        self.patience = patience
        self.asked: list[tuple[ProgramSpec, int]] = []
        self.rejected: list[tuple[ProgramSpec, int]] = []

    def has(self, spec: ProgramSpec, tasks: int) -> bool:
        return (spec, tasks) in self.asked and self.patience <= 0

    def find(self, spec: ProgramSpec, tasks: int) -> Callable[..., Sequence[Tensor]] | None:
        if (spec, tasks) not in self.asked:
            return None
        self.patience -= 1
        return self.compiled if self.patience < 0 else None

    def ask(self, spec: ProgramSpec, tasks: int) -> None:
        self.asked.append((spec, tasks))

    def reject(self, spec: ProgramSpec, tasks: int, _distance: float) -> None:
        self.rejected.append((spec, tasks))


def as_compiled(*given: Tensor) -> Sequence[Tensor]:
    names = sorted(META)
    return _TOGETHER(PROGRAM, dict(zip(names, given, strict=False)), given[len(names) :])


class FakeRecorder:
    """Records by standing in; `ways` are what is recorded, and what each costs, in the clock's seconds a task."""

    def __init__(self, clock: Clock, budget: int = 1 << 20, **ways: Callable[..., Sequence[Tensor]]) -> None:
        self.budget = budget
        self.shapes: list[tuple[int, ...]] = []
        self._clock, self._ways = clock, ways

    def recordings(self, spec: ProgramSpec, meta_params: object, tensors: Sequence[Tensor]) -> list[Recorded]:
        self.shapes.append(tuple(len(tensor) for tensor in tensors))
        plans = {"graph": Plan.GRAPH, "patches": Plan.GRAPH_PATCHES}
        return [
            Recorded(plans[way], self._clock.costs(way, run), 1000, 1e-4) for way, run in self._ways.items()
        ]


class House:
    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        clock: Clock,
        workshop: FakeWorkshop | None,
        recorder: FakeRecorder | None = None,
    ) -> None:
        for name in ("together", "each"):
            honest = getattr(Program, name)
            monkeypatch.setattr(
                Program,
                name,
                lambda self, *given, name=name, run=honest: clock.costs(name, run)(self, *given),
            )
        self.used: Counter[str] = Counter()
        self.plans = Plans(CPU, workshop, lambda _kind, plan: self.used.update([plan]), clock, recorder)  # type: ignore[arg-type]

    def run(self, tasks: int) -> Sequence[Tensor]:
        padded_to = self.plans.tasks(SPEC, tasks, META)
        tensors = [
            torch.cat([one, one[:1].expand(padded_to - tasks, *one.shape[1:])]) for one in tensors_of(tasks)
        ]
        return self.plans.run(SPEC, tasks, META, tensors)


def assert_close(one: Sequence[Tensor], other: Sequence[Tensor]) -> None:
    for left, right in zip(one, other, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6)


def wrong(*given: Tensor) -> Sequence[Tensor]:
    row, loss = as_compiled(*given)
    return row + 1e-2, loss


def not_finite(*given: Tensor) -> Sequence[Tensor]:
    row, loss = as_compiled(*given)
    return row, torch.full_like(loss, float("nan"))


def expected(tasks: int) -> Sequence[Tensor]:
    """What the program answers; to be asked before a house makes it cost something."""
    return PROGRAM.together(META, tensors_of(tasks))
