"""The scheduler, without an engine: who waits, who goes next, who shares a pass, and who is refused."""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.engine.admission import PassLimits, QueueLimits, Refusal
from services.engine.batching import Batch, BatchKey, DeviceCall, Ticket, input_numbers, key_of
from services.engine.messages import AdaptCall, Array, InspectCall, PredictCall, Support
from services.engine.pass_times import PassTimes
from services.engine.scheduler import Scheduler
from services.ids import ANONYMOUS

X = Array.of(np.zeros((1, 2), np.float32))
ROOMY = QueueLimits(1 << 20, 1e9, 1.0)


def predict(artifact: str = "a", principal: str = ANONYMOUS) -> PredictCall:
    return PredictCall(artifact, "digest", X, principal)


def adapt(artifact: str = "a", principal: str = ANONYMOUS) -> AdaptCall:
    return AdaptCall(artifact, Support(X, X), principal=principal)


def inspect(artifact: str = "a", principal: str = ANONYMOUS) -> InspectCall:
    return InspectCall(artifact, principal)


MAKERS = (predict, adapt, inspect)
calls = st.builds(
    lambda make, artifact, principal: make(artifact, principal),
    st.sampled_from(MAKERS),
    st.sampled_from("abc"),
    st.sampled_from(["ann", "bob", "eve", ANONYMOUS]),
)


class FixedTimes(PassTimes):
    """Knows what a pass takes, and learns nothing: `start`, and for every call `each`."""

    def __init__(self, start: float = 0.0, each: float = 0.01) -> None:
        super().__init__(each)
        self.start, self.each = start, each

    def of_pass(self, key: BatchKey, calls: int) -> float:
        return self.start + self.each * calls

    def measured(self, key: BatchKey, calls: int, seconds: float) -> None:
        pass


class Bench:
    """A scheduler and a device that it is the only one to use. Names are numbers in the order of arrival."""

    def __init__(
        self,
        queue: QueueLimits = ROOMY,
        max_batch: int = 8,
        max_numbers: int = 1 << 20,
        batch_seconds: float = 1e9,
        times: PassTimes | None = None,
        **policy: float,
    ) -> None:
        limits = PassLimits(max_batch, max_numbers, batch_seconds)
        self.scheduler: Scheduler[None] = Scheduler(queue, limits, times or FixedTimes(), **policy)
        self.now = 0.0
        self.came = 0

    def send(self, call: DeviceCall, timeout: float = 30.0) -> Refusal | None:
        ticket = Ticket(self.came, call, key_of(call), None, self.now, self.now + timeout)
        self.came += 1
        return self.scheduler.offer(ticket, self.now)

    def begin(self) -> Batch[None] | None:
        return self.scheduler.next_batch(self.now)

    def end(self, seconds: float) -> None:
        self.now += seconds
        self.scheduler.finished(seconds)

    def step(self, seconds: float = 0.0) -> Batch[None]:
        batch = self.begin()
        assert batch is not None
        self.end(seconds)
        return batch

    def drained(self) -> list[Batch[None]]:
        batches = []
        while len(self.scheduler):
            batches.append(self.step())
        return batches


def kinds(batches: Sequence[Batch[None]]) -> list[type]:
    return [batch.key.kind for batch in batches]


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


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.floats(1.0, 30.0), st.sampled_from([PassTimes, FixedTimes]))
def test_tenants_who_always_have_work_get_equal_device_time(
    chance: random.Random, ratio: float, times: type[PassTimes]
) -> None:
    """Whatever their passes cost, whether these are predictions or adaptations, and however wrong the estimate."""
    bench = Bench(max_batch=4, times=times(), head_start=0.05)
    work = {
        "ann": (chance.choice((predict, adapt)), 0.002),
        "bob": (chance.choice((predict, adapt)), 0.002 * ratio),
        "eve": (chance.choice((predict, adapt)), 0.004),
    }
    had: defaultdict[str, float] = defaultdict(float)
    longest = 0.0
    for _ in range(150):
        for principal, (make, _) in work.items():
            for _ in range(4):
                bench.send(make(principal, principal))
        batch = bench.begin()
        assert batch is not None
        (principal,) = {ticket.call.principal for ticket in batch.tickets}
        seconds = work[principal][1] * chance.uniform(0.5, 1.5)
        longest = max(longest, seconds)
        had[principal] += seconds
        bench.end(seconds)
        gap = max(had[name] for name in work) - min(had[name] for name in work)
        assert gap <= 0.05 + 2 * longest


@settings(max_examples=60, deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.sampled_from([predict, adapt]),
    st.sampled_from([predict, adapt]),
    st.booleans(),
)
def test_a_polite_tenant_waits_for_about_one_pass_of_one_that_floods(
    chance: random.Random, floods: object, asks: object, same_model: bool
) -> None:
    head_start = 0.02
    bench = Bench(max_batch=4, times=PassTimes(0.005), head_start=head_start)
    asked, again, longest = None, 0.0, 0.0
    waits = []
    for _ in range(200):
        for _ in range(20 - len(bench.scheduler)):
            bench.send(floods("a", "flood"))
        batch, begun = bench.begin(), bench.now
        assert batch is not None
        seconds = chance.uniform(0.005, 0.05)
        longest = max(longest, seconds)
        if any(ticket.call.principal == "polite" for ticket in batch.tickets):
            assert asked is not None
            waits.append(begun - asked)
            asked, again = None, begun + seconds * chance.uniform(2.0, 4.0)
        if asked is None and again <= begun + seconds:
            # It comes while this pass runs.
            asked = bench.now = max(begun, again)
            bench.send(asks("a" if same_model else "b", "polite"))
        bench.now = begun
        bench.end(seconds)
    assert len(waits) > 10
    # The pass under way, and one more where it had a call moments ago.
    allowed = 2 * longest + (head_start if asks is adapt and floods is predict else 0.0)
    assert max(waits) <= allowed


@pytest.mark.parametrize("asks", [predict, adapt])
def test_a_stream_of_newcomers_keeps_nobody_waiting_for_ever(asks: object) -> None:
    """Each of whom asks once, so that all of them have had less than the one who stays."""
    bench = Bench(max_batch=1)
    for _ in range(100):
        bench.send(asks("e", "eve"))
    served = []
    for step in range(300):
        while len(bench.scheduler) < 103 - len(served):
            bench.send(predict("a", f"tenant-{bench.came}"))
        if bench.step(0.01).tickets[0].call.principal == "eve":
            served.append(step)
    assert max(np.diff([0, *served, 300])) <= 20


def test_a_pause_saves_nothing_up() -> None:
    bench = Bench(max_batch=1)
    bench.send(adapt("b", "bob"))
    bench.step(0.1)
    for _ in range(50):
        bench.send(adapt("a", "ann"))
        bench.step(1.0)
    for _ in range(8):
        bench.send(adapt("a", "ann"))
        bench.send(adapt("b", "bob"))
    order = [bench.step(1.0).tickets[0].call.principal for _ in range(8)]
    assert Counter(order) == {"ann": 4, "bob": 4}


@given(st.integers(1, 40), st.integers(1, 8), st.floats(0.001, 0.1))
def test_retry_after_is_when_the_queue_is_done(calls: int, max_batch: int, each: float) -> None:
    bench = Bench(QueueLimits(calls, 1e9, 1.0), max_batch, times=FixedTimes(each=each))
    bench.send(predict())
    under_way = bench.begin()
    assert under_way is not None
    for _ in range(calls):
        assert bench.send(predict()) is None
    bench.now += each / 2
    refusal = bench.send(predict())
    assert refusal is not None
    assert refusal.reason == "full"
    expected = bench.now + refusal.retry_after
    bench.now += each / 2
    bench.scheduler.finished(each)
    while len(bench.scheduler):
        batch = bench.begin()
        assert batch is not None
        bench.end(each * len(batch.tickets))
    assert bench.now == pytest.approx(expected)
    assert bench.send(predict()) is None


def test_a_tenant_over_its_share_is_told_when_its_own_work_is_done() -> None:
    bench = Bench(QueueLimits(40, 1e9, 0.5), max_batch=4, times=FixedTimes(each=0.1))
    for _ in range(4):
        bench.send(adapt("b", "bob"))
    while (refusal := bench.send(adapt("a", "ann"))) is None:
        pass
    ann = bench.came - 1 - 4
    assert ann == 18  # half of what the others left free
    assert refusal.reason == "share"
    # In turns with the other: until the other has no more.
    assert refusal.retry_after == pytest.approx(0.1 * (ann + 4))
    assert bench.send(adapt("b", "bob")) is None


def test_a_share_is_free_again_when_what_filled_it_is_gone() -> None:
    bench = Bench(QueueLimits(100, 1.0, 0.5), max_batch=2, times=FixedTimes(each=0.1))
    for room in (5, 3, 3):
        for _ in range(room):
            assert bench.send(adapt("a", "ann")) is None
        refusal = bench.send(adapt("a", "ann"))
        assert refusal is not None
        assert refusal.reason == "share"
        bench.step(0.2)
        assert bench.scheduler.cancel(bench.came - 2) is not None


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


@pytest.mark.parametrize("always_busy", [False, True])
def test_tenants_who_left_do_not_pile_up(always_busy: bool) -> None:
    bench = Bench(max_batch=1)
    for number in range(2000):
        if always_busy:
            bench.send(predict("a", "eve"))
        bench.send(predict("a", f"tenant-{number}"))
        bench.step(0.01)
    assert len(bench.scheduler._tenants._known) < 200
