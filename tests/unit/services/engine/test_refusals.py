"""Who is refused a place in the queue, and when it is told to come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.engine.admission import QueueLimits
from tests.unit.services.engine.scheduler_bench import Bench, FixedTimes, adapt, predict


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
