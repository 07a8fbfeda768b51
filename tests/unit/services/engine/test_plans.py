"""Plans: eager at once, the quicker of two by measurement, and a compiled program only where it holds."""

from collections.abc import Callable, Sequence

import pytest
from torch import Tensor

from services.engine import plans as plans_module
from services.engine.line import Plan, rung_of
from services.engine.programs import ProgramSpec
from tests.unit.services.engine.plans_bench import (
    META,
    SPEC,
    Clock,
    FakeWorkshop,
    House,
    as_compiled,
    assert_close,
    expected,
    not_finite,
    wrong,
)


def test_the_rungs_are_few() -> None:
    assert [rung_of(tasks) for tasks in (1, 2, 4, 5, 16, 17, 64, 65)] == [1, 4, 4, 16, 16, 64, 64, 256]


@pytest.mark.parametrize(
    ("together", "each", "chosen"),
    [(1.0, 3.0, Plan.TOGETHER), (3.0, 1.0, Plan.EACH), (1.0, 0.9, Plan.TOGETHER)],
)
def test_the_quicker_eager_plan_is_chosen_and_answers_the_same(
    monkeypatch: pytest.MonkeyPatch,
    together: float,
    each: float,
    chosen: Plan,
) -> None:
    right = expected(5)
    house = House(monkeypatch, Clock(together=together, each=each), None)
    for _ in range(8):
        assert_close(house.run(5), right)
    assert house.used[chosen] >= 5


def test_a_busy_program_is_compiled_and_takes_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plans_module, "_BUSY_PASSES", 6)
    right = expected(3)
    clock = Clock(together=1.0, each=2.0, compiled=0.1)
    workshop = FakeWorkshop(clock.costs("compiled", as_compiled))
    house = House(monkeypatch, clock, workshop)
    for _ in range(30):
        assert_close(house.run(3), right)
    assert workshop.asked == [(SPEC, 4)]
    assert house.used[Plan.COMPILED] >= 10
    assert house.plans.tasks(SPEC, 3, META) == 4
    assert workshop.rejected == []


def test_in_haste_a_compiled_program_waits_for_a_pass_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans_module, "_BUSY_PASSES", 6)
    clock = Clock(together=1.0, each=2.0, compiled=0.1)
    house = House(monkeypatch, clock, FakeWorkshop(clock.costs("compiled", as_compiled), patience=0))

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


def test_one_interrupted_run_of_a_compiled_program_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans_module, "_BUSY_PASSES", 6)
    clock = Clock(together=1.0, each=2.0, compiled=0.1)
    runs = 0

    def interrupted(*given: Tensor) -> Sequence[Tensor]:
        nonlocal runs
        runs += 1
        clock.now += 50.0 * (runs == 2)  # the first that is measured
        return as_compiled(*given)

    workshop = FakeWorkshop(clock.costs("compiled", interrupted))
    house = House(monkeypatch, clock, workshop)
    for _ in range(30):
        house.run(3)
    assert workshop.rejected == []
    assert house.used[Plan.COMPILED] >= 10


def test_a_quiet_program_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    workshop = FakeWorkshop(as_compiled)
    house = House(monkeypatch, Clock(together=1e-6, each=1e-6), workshop)
    for _ in range(100):
        house.run(1)
    assert workshop.asked == []


@pytest.mark.parametrize(
    ("compiled", "seconds"),
    [(wrong, 0.1), (not_finite, 0.1), (as_compiled, 5.0)],
    ids=["wrong", "nan", "slow"],
)
def test_a_compiled_program_that_does_not_hold_is_rejected_for_good(
    monkeypatch: pytest.MonkeyPatch,
    compiled: Callable[..., Sequence[Tensor]],
    seconds: float,
) -> None:
    monkeypatch.setattr(plans_module, "_BUSY_PASSES", 6)
    right = expected(4)
    clock = Clock(together=1.0, each=2.0, compiled=seconds)
    workshop = FakeWorkshop(clock.costs("compiled", compiled))
    house = House(monkeypatch, clock, workshop)
    for _ in range(30):
        assert_close(house.run(4), right)
    assert workshop.rejected == [(SPEC, 4)]
    assert house.used[Plan.COMPILED] == 0
