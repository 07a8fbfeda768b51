"""Plans: eager at once, the quicker of two by measurement, and a compiled program only where it holds."""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from models.build import build_learner
from models.spec import LearnerSpec, MamlSpec, MlpSpec
from services.engine import plans as plans_module
from services.engine.line import Plan, Recorded, rung_of
from services.engine.plans import Plans
from services.engine.programs import Program, ProgramSpec, build_program, example_tensors
from tests.small_models import LINE

CPU = torch.device("cpu")
LEARNER = LearnerSpec(algorithm=MamlSpec(inner_steps=2), network=MlpSpec(hidden=(8,)))
META = build_learner(LEARNER, LINE).init(torch.Generator().manual_seed(0))
SPEC = ProgramSpec(kind="adapt", learner=LEARNER, signature=LINE, max_ways=None, support=4)
PROGRAM = build_program(SPEC, META)
_TOGETHER = Program.together  # as it is before a test makes it cost something


def _tensors(tasks: int) -> list[Tensor]:
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


def _as_compiled(*given: Tensor) -> Sequence[Tensor]:
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
            torch.cat([one, one[:1].expand(padded_to - tasks, *one.shape[1:])]) for one in _tensors(tasks)
        ]
        return self.plans.run(SPEC, tasks, META, tensors)


@pytest.fixture
def expected() -> Callable[[int], Sequence[Tensor]]:
    return lambda tasks: PROGRAM.together(META, _tensors(tasks))


def _assert_close(one: Sequence[Tensor], other: Sequence[Tensor]) -> None:
    for left, right in zip(one, other, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6)


def test_the_rungs_are_few() -> None:
    assert [rung_of(tasks) for tasks in (1, 2, 4, 5, 16, 17, 64, 65)] == [1, 4, 4, 16, 16, 64, 64, 256]


@pytest.mark.parametrize(
    ("together", "each", "chosen"),
    [(1.0, 3.0, Plan.TOGETHER), (3.0, 1.0, Plan.EACH), (1.0, 0.9, Plan.TOGETHER)],
)
def test_the_quicker_eager_plan_is_chosen_and_answers_the_same(
    monkeypatch: pytest.MonkeyPatch,
    expected: Callable[[int], Sequence[Tensor]],
    together: float,
    each: float,
    chosen: Plan,
) -> None:
    right = expected(5)
    house = House(monkeypatch, Clock(together=together, each=each), None)
    for _ in range(8):
        _assert_close(house.run(5), right)
    assert house.used[chosen] >= 5


def test_a_busy_program_is_compiled_and_takes_over(
    monkeypatch: pytest.MonkeyPatch, expected: Callable[[int], Sequence[Tensor]]
) -> None:
    monkeypatch.setattr(plans_module, "_BUSY_PASSES", 6)
    right = expected(3)
    clock = Clock(together=1.0, each=2.0, compiled=0.1)
    workshop = FakeWorkshop(clock.costs("compiled", _as_compiled))
    house = House(monkeypatch, clock, workshop)
    for _ in range(30):
        _assert_close(house.run(3), right)
    assert workshop.asked == [(SPEC, 4)]
    assert house.used[Plan.COMPILED] >= 10
    assert house.plans.tasks(SPEC, 3, META) == 4
    assert workshop.rejected == []


def test_in_haste_a_compiled_program_waits_for_a_pass_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans_module, "_BUSY_PASSES", 6)
    clock = Clock(together=1.0, each=2.0, compiled=0.1)
    house = House(monkeypatch, clock, FakeWorkshop(clock.costs("compiled", _as_compiled), patience=0))

    def hastily() -> list[ProgramSpec]:
        with house.plans.in_haste() as put_off:
            house.run(3)
        return put_off

    for _ in range(6):
        assert hastily() == []
    assert set(hastily()) == {SPEC}
    assert house.used == {Plan.TOGETHER: 7}
    house.run(3)  # it is tried
    assert hastily() == []
    assert house.used[Plan.COMPILED] == 1


def test_in_haste_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(together=1.0, each=2.0, graph=0.5)
    recorder = FakeRecorder(clock, graph=_as_compiled)
    house = House(monkeypatch, clock, None, recorder)
    for passes in range(1, 10):
        with house.plans.in_haste() as put_off:
            house.run(3)
        assert bool(put_off) == (passes >= 6)
    assert recorder.shapes == []
    for _ in range(2):
        house.run(3)
    assert len(recorder.shapes) == 1
    assert house.used == {Plan.TOGETHER: 10, Plan.GRAPH: 1}


def test_one_interrupted_run_of_a_compiled_program_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans_module, "_BUSY_PASSES", 6)
    clock = Clock(together=1.0, each=2.0, compiled=0.1)
    runs = 0

    def interrupted(*given: Tensor) -> Sequence[Tensor]:
        nonlocal runs
        runs += 1
        clock.now += 50.0 * (runs == 2)  # the first that is measured
        return _as_compiled(*given)

    workshop = FakeWorkshop(clock.costs("compiled", interrupted))
    house = House(monkeypatch, clock, workshop)
    for _ in range(30):
        house.run(3)
    assert workshop.rejected == []
    assert house.used[Plan.COMPILED] >= 10


def test_a_quiet_program_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    workshop = FakeWorkshop(_as_compiled)
    house = House(monkeypatch, Clock(together=1e-6, each=1e-6), workshop)
    for _ in range(100):
        house.run(1)
    assert workshop.asked == []


def _wrong(*given: Tensor) -> Sequence[Tensor]:
    row, loss = _as_compiled(*given)
    return row + 1e-2, loss


def _not_finite(*given: Tensor) -> Sequence[Tensor]:
    row, loss = _as_compiled(*given)
    return row, torch.full_like(loss, float("nan"))


@pytest.mark.parametrize(
    ("compiled", "seconds"),
    [(_wrong, 0.1), (_not_finite, 0.1), (_as_compiled, 5.0)],
    ids=["wrong", "nan", "slow"],
)
def test_a_compiled_program_that_does_not_hold_is_rejected_for_good(
    monkeypatch: pytest.MonkeyPatch,
    expected: Callable[[int], Sequence[Tensor]],
    compiled: Callable[..., Sequence[Tensor]],
    seconds: float,
) -> None:
    monkeypatch.setattr(plans_module, "_BUSY_PASSES", 6)
    right = expected(4)
    clock = Clock(together=1.0, each=2.0, compiled=seconds)
    workshop = FakeWorkshop(clock.costs("compiled", compiled))
    house = House(monkeypatch, clock, workshop)
    for _ in range(30):
        _assert_close(house.run(4), right)
    assert workshop.rejected == [(SPEC, 4)]
    assert house.used[Plan.COMPILED] == 0


def test_what_is_used_is_recorded_for_its_rung_and_the_quickest_takes_over(
    monkeypatch: pytest.MonkeyPatch, expected: Callable[[int], Sequence[Tensor]]
) -> None:
    right = expected(3)
    clock = Clock(together=1.0, each=2.0, graph=0.5, patches=0.2)
    recorder = FakeRecorder(clock, graph=_as_compiled, patches=_as_compiled)
    house = House(monkeypatch, clock, None, recorder)
    for _ in range(20):
        _assert_close(house.run(3), right)
    assert recorder.shapes == [(4, 4, 4, 4)]
    assert house.used == {Plan.TOGETHER: 6, Plan.GRAPH_PATCHES: 14}
    assert house.plans.tasks(SPEC, 3, META) == 4
    # Also where nobody padded: a long query's pieces are stacked before the first of them is recorded.
    _assert_close(house.plans.run(SPEC, 3, META, _tensors(3)), right)


@pytest.mark.parametrize(
    ("recorded", "seconds"),
    [(_wrong, 0.1), (_not_finite, 0.1), (_as_compiled, 5.0)],
    ids=["wrong", "nan", "slow"],
)
def test_a_recording_that_does_not_hold_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
    expected: Callable[[int], Sequence[Tensor]],
    recorded: Callable[..., Sequence[Tensor]],
    seconds: float,
) -> None:
    right = expected(4)
    clock = Clock(together=1.0, each=2.0, graph=seconds)
    recorder = FakeRecorder(clock, graph=recorded)
    house = House(monkeypatch, clock, None, recorder)
    for _ in range(20):
        _assert_close(house.run(4), right)
    assert house.used == {Plan.TOGETHER: 20}
    assert len(recorder.shapes) == 1, "not tried again"


def test_recordings_are_bounded_and_one_that_left_is_made_again(
    monkeypatch: pytest.MonkeyPatch, expected: Callable[[int], Sequence[Tensor]]
) -> None:
    right = {tasks: expected(tasks) for tasks in (1, 4)}
    clock = Clock(together=1.0, each=2.0, graph=0.1)
    recorder = FakeRecorder(clock, budget=1500, graph=_as_compiled)
    house = House(monkeypatch, clock, None, recorder)
    for tasks in (1, 4, 1):
        house.used.clear()
        for _ in range(10):
            _assert_close(house.run(tasks), right[tasks])
        assert house.used[Plan.GRAPH] >= 3
    assert [shape[0] for shape in recorder.shapes] == [1, 4, 1]
