"""Plans on a GPU: a program is recorded for its rung, takes over if it holds, and makes room."""

from collections.abc import Callable, Sequence

import pytest
from torch import Tensor

from services.engine.line import Plan
from tests.unit.services.engine.plans_bench import (
    META,
    SPEC,
    Clock,
    FakeRecorder,
    House,
    as_compiled,
    assert_close,
    expected,
    not_finite,
    tensors_of,
    wrong,
)


def test_in_haste_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(together=1.0, each=2.0, graph=0.5)
    recorder = FakeRecorder(clock, graph=as_compiled)
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


def test_what_is_used_is_recorded_for_its_rung_and_the_quickest_takes_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = expected(3)
    clock = Clock(together=1.0, each=2.0, graph=0.5, patches=0.2)
    recorder = FakeRecorder(clock, graph=as_compiled, patches=as_compiled)
    house = House(monkeypatch, clock, None, recorder)
    for _ in range(20):
        assert_close(house.run(3), right)
    assert recorder.shapes == [(4, 4, 4, 4)]
    assert house.used == {Plan.TOGETHER: 6, Plan.GRAPH_PATCHES: 14}
    assert house.plans.tasks(SPEC, 3, META) == 4
    # Also where nobody padded: a long query's pieces are stacked before the first of them is recorded.
    assert_close(house.plans.run(SPEC, 3, META, tensors_of(3)), right)


@pytest.mark.parametrize(
    ("recorded", "seconds"),
    [(wrong, 0.1), (not_finite, 0.1), (as_compiled, 5.0)],
    ids=["wrong", "nan", "slow"],
)
def test_a_recording_that_does_not_hold_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Callable[..., Sequence[Tensor]],
    seconds: float,
) -> None:
    right = expected(4)
    clock = Clock(together=1.0, each=2.0, graph=seconds)
    recorder = FakeRecorder(clock, graph=recorded)
    house = House(monkeypatch, clock, None, recorder)
    for _ in range(20):
        assert_close(house.run(4), right)
    assert house.used == {Plan.TOGETHER: 20}
    assert len(recorder.shapes) == 1, "not tried again"


def test_recordings_are_bounded_and_one_that_left_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = {tasks: expected(tasks) for tasks in (1, 4)}
    clock = Clock(together=1.0, each=2.0, graph=0.1)
    recorder = FakeRecorder(clock, budget=1500, graph=as_compiled)
    house = House(monkeypatch, clock, None, recorder)
    for tasks in (1, 4, 1):
        house.used.clear()
        for _ in range(10):
            assert_close(house.run(tasks), right[tasks])
        assert house.used[Plan.GRAPH] >= 3
    assert [shape[0] for shape in recorder.shapes] == [1, 4, 1]
