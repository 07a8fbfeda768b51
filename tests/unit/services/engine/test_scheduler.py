"""The scheduler, without an engine: who waits, who goes next, and who shares a pass."""

from collections import Counter
from collections.abc import Hashable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.engine.admission import QueueLimits
from services.engine.batching import DeviceCall, Ticket, input_numbers, key_of
from services.engine.messages import AdaptCall, InspectCall, PredictCall
from services.engine.pass_times import PassTimes
from services.ids import ANONYMOUS
from tests.unit.services.engine.scheduler_bench import (
    MAKERS,
    Bench,
    FixedTimes,
    adapt,
    calls,
    inspect,
    kinds,
    predict,
)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order, against a plain list of what waits."""

    CALLS, SECONDS, MOST, NUMBERS = 12, 0.08, 3, 5

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(QueueLimits(self.CALLS, self.SECONDS, 0.6), self.MOST, self.NUMBERS)
        self.waiting: dict[Hashable, DeviceCall] = {}
        self.busy = False

    @rule(call=calls, timeout=st.just(5.0))
    def send(self, call: DeviceCall, timeout: float) -> None:
        name = self.bench.came
        refusal = self.bench.send(call, timeout)
        if refusal is None:
            self.waiting[name] = call
            assert len(self.waiting) <= self.CALLS
            assert self.bench.scheduler.seconds <= self.SECONDS + 1e-9
        else:
            assert self.waiting
            assert refusal.retry_after >= 0.0
            assert refusal.reason == "full" or call.principal != ANONYMOUS

    @precondition(lambda self: not self.busy)
    @rule()
    def begin(self) -> None:
        batch = self.bench.begin()
        self.busy = batch is not None
        if batch is None:
            assert not self.waiting  # a free device never waits
            return
        assert 1 <= len(batch.tickets) <= self.MOST
        numbers = sum(input_numbers(ticket.call) for ticket in batch.tickets)
        assert len(batch.tickets) == 1 or numbers <= self.NUMBERS
        for ticket in batch.tickets:
            assert key_of(ticket.call) == batch.key
            oldest = next(
                name
                for name, call in self.waiting.items()
                if key_of(call) == batch.key and call.principal == ticket.call.principal
            )
            assert ticket.name == oldest
            assert self.waiting.pop(ticket.name) is ticket.call

    @precondition(lambda self: self.busy)
    @rule(seconds=st.floats(0.0, 3.0))
    def end(self, seconds: float) -> None:
        self.bench.end(seconds)
        self.busy = False

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.integers(0, self.bench.came))
        ticket = self.bench.scheduler.cancel(name)
        assert (ticket is not None) == (name in self.waiting)
        self.waiting.pop(name, None)

    @rule()
    def expire(self) -> None:
        for ticket in self.bench.scheduler.expire(self.bench.now):
            assert ticket.deadline <= self.bench.now
            del self.waiting[ticket.name]
        assert all(ticket.deadline > self.bench.now for ticket in self._left())

    @rule()
    def drain(self) -> None:
        assert [ticket.name for ticket in self.bench.scheduler.drain()] == list(self.waiting)
        self.waiting.clear()

    @invariant()
    def as_many_wait_as_should(self) -> None:
        assert len(self.bench.scheduler) == len(self.waiting)
        assert self.bench.scheduler.seconds == pytest.approx(0.01 * len(self.waiting))
        assert self.waiting or self.bench.scheduler.seconds == 0.0

    def _left(self) -> list[Ticket[None]]:
        """What waits, found out by taking it out and putting it back."""
        left = self.bench.scheduler.drain()
        for ticket in left:
            assert self.bench.scheduler.offer(ticket, self.bench.now) is None
        return left


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestAnyOrder = AnyOrder.TestCase


@given(st.lists(calls, max_size=60), st.lists(st.floats(0.0, 10.0), min_size=1), st.integers(1, 9))
def test_every_call_is_run_once_whatever_passes_take(
    calls: list[DeviceCall], seconds: list[float], max_batch: int
) -> None:
    """With estimates that are learned, and change what waiting calls are worth meanwhile."""
    bench = Bench(max_batch=max_batch, batch_seconds=0.25, times=PassTimes())
    assert [bench.send(call) for call in calls] == [None] * len(calls)
    names: list[Hashable] = []
    place = 0
    while (batch := bench.begin()) is not None:
        names += [ticket.name for ticket in batch.tickets]
        bench.end(seconds[place % len(seconds)])
        place += 1
        assert bench.scheduler.seconds >= -1e-9
    assert sorted(names) == list(range(len(calls)))
    assert bench.scheduler.seconds == 0.0


def test_two_calls_of_one_name_do_not_wait() -> None:
    bench = Bench()
    bench.send(predict())
    bench.came = 0
    with pytest.raises(ValueError, match="two calls"):
        bench.send(predict())


def test_predictions_go_first_then_adaptations_then_the_rest() -> None:
    bench = Bench()
    for make in (inspect, adapt, predict):
        bench.send(make())
    assert kinds(bench.drained()) == [PredictCall, AdaptCall, InspectCall]


@given(st.integers(1, 6), st.lists(st.floats(0.0, 1.0), min_size=40, max_size=40))
def test_no_lane_is_passed_over_more_often_than_patience_allows(patience: int, seconds: list[float]) -> None:
    bench = Bench(max_batch=1, patience=patience)
    served = []
    for took in seconds:
        for make in MAKERS:
            bench.send(make())
        served.append(bench.step(took).key.kind)
    for kind in (AdaptCall, InspectCall):
        places = [-1, *(place for place, one in enumerate(served) if one is kind)]
        # Both may run out of patience at once: then one waits for the other too.
        assert max(np.diff(places)) <= patience + 2
    assert Counter(served)[PredictCall] >= Counter(served)[AdaptCall] >= Counter(served)[InspectCall] > 0


def test_models_of_a_tenant_take_turns() -> None:
    bench = Bench(max_batch=1)
    for artifact in "aaba":
        bench.send(adapt(artifact))
    assert [batch.key.artifact for batch in bench.drained()] == ["a", "b", "a", "a"]


def test_a_pass_mixes_tenants_evenly() -> None:
    bench = Bench(max_batch=4)
    for principal in ["ann"] * 6 + ["bob"] * 2:
        bench.send(predict(principal=principal))
    batches = bench.drained()
    assert [Counter(ticket.call.principal for ticket in batch.tickets) for batch in batches] == [
        {"ann": 2, "bob": 2},
        {"ann": 4},
    ]


def test_a_pass_takes_several_calls_only_within_its_numbers() -> None:
    bench = Bench(max_batch=8, max_numbers=7)
    for _ in range(5):
        bench.send(predict())  # of two numbers
    assert [len(batch.tickets) for batch in bench.drained()] == [3, 2]
    alone = Bench(max_batch=8, max_numbers=1)
    alone.send(predict())
    assert len(alone.step().tickets) == 1


def test_a_pass_is_as_long_as_it_is_meant_to_be() -> None:
    bench = Bench(max_batch=64, batch_seconds=0.1, times=FixedTimes(each=0.02))
    for _ in range(12):
        bench.send(adapt())
    assert [len(batch.tickets) for batch in bench.drained()] == [5, 5, 2]


def test_what_waits_is_worth_what_was_measured() -> None:
    bench = Bench(max_batch=2, times=PassTimes(guess=0.01))
    for _ in range(10):
        bench.send(adapt("a", "ann"))
    assert bench.scheduler.seconds == pytest.approx(0.1)
    bench.step(0.004)
    assert bench.scheduler.seconds == pytest.approx(8 * 0.002)
    assert bench.scheduler.delay(bench.now) == pytest.approx(8 * 0.002)
    bench.begin()
    assert bench.scheduler.delay(bench.now) == pytest.approx(8 * 0.002)
    assert bench.scheduler.delay(bench.now + 0.003) == pytest.approx(6 * 0.002 + 0.001)
