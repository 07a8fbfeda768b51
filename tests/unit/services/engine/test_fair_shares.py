"""Tenants beside each other: equal device time, short waits for who asks little, nothing saved up."""

import random
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.engine.pass_times import PassTimes
from tests.unit.services.engine.scheduler_bench import Bench, FixedTimes, adapt, predict


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


@pytest.mark.parametrize("always_busy", [False, True])
def test_tenants_who_left_do_not_pile_up(always_busy: bool) -> None:
    bench = Bench(max_batch=1)
    for number in range(2000):
        if always_busy:
            bench.send(predict("a", "eve"))
        bench.send(predict("a", f"tenant-{number}"))
        bench.step(0.01)
    assert len(bench.scheduler._tenants._known) < 200
