"""The engine's thread, around an executor that does as the test says."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from services.engine.batching import DeviceCall
from services.engine.loop import EngineLoop
from services.engine.messages import (
    AdaptCall,
    Array,
    EngineFault,
    EngineStatus,
    MetricsCall,
    MetricsReply,
    PingCall,
    PredictCall,
    PredictReply,
    Reply,
    Support,
)
from services.engine.settings import EngineSettings
from services.telemetry.metrics import EngineMetrics, render

X = Array.of(np.zeros((1, 1), np.float32))
ADAPT = AdaptCall("a", Support(X, X))
PREDICT = PredictCall("a", "d", X)


class HandClock:
    """Monotonic seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class HeldExecutor:
    """Records the passes; each waits until it is let go."""

    def __init__(self) -> None:
        self.passes: list[Sequence[DeviceCall]] = []
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)

    def status(self) -> EngineStatus:
        return EngineStatus("cpu", 1, 0, 0)

    def has(self, artifact: str) -> bool:
        """No: what it runs is as long as the test says."""
        return False

    def run(self, calls: Sequence[DeviceCall]) -> list[Reply]:
        self.passes.append(calls)
        self.begun.release()
        assert self.let_go.acquire(timeout=10)
        return [PredictReply() for _ in calls]

    def run_in_haste(self, calls: Sequence[DeviceCall]) -> list[Reply]:
        return self.run(calls)


def predict_of(principal: str) -> PredictCall:
    return PredictCall("a", "d", X, principal)


class Answers:
    """Collects replies, and waits for them."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self._came = threading.Semaphore(0)

    def __call__(self, reply: Reply) -> None:
        self.replies.append(reply)
        self._came.release()

    def wait(self, count: int) -> list[Reply]:
        for _ in range(count):
            assert self._came.acquire(timeout=10)
        return self.replies


@pytest.fixture
def executor() -> HeldExecutor:
    return HeldExecutor()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def loop(executor: HeldExecutor, registry: CollectorRegistry, clock: HandClock) -> Iterator[EngineLoop]:
    settings = EngineSettings(engine_max_queued=6, engine_timeout_seconds=30.0)
    loop = EngineLoop(executor, settings, EngineMetrics(registry), clock)
    loop.start()
    yield loop
    loop.stop()
    executor.let_go.release(100)
    loop.join(10)
    assert not loop.alive


def test_calls_that_wait_together_run_together_and_predictions_first(
    loop: EngineLoop, executor: HeldExecutor, registry: CollectorRegistry
) -> None:
    answers = Answers()
    loop.submit(ADAPT, answers)
    assert executor.begun.acquire(timeout=10)
    for call in (ADAPT, PREDICT, PREDICT):
        loop.submit(call, answers)
    executor.let_go.release(3)
    assert len(answers.wait(4)) == 4
    assert executor.passes == [[ADAPT], [PREDICT, PREDICT], [ADAPT]]
    assert b'innerloop_engine_batch_size_count{kind="predict"} 1.0' in render(registry)
    assert b'innerloop_engine_batch_size_sum{kind="predict"} 2.0' in render(registry)


def test_a_full_queue_refuses_says_for_how_long_and_goes_on(
    loop: EngineLoop, executor: HeldExecutor, clock: HandClock, registry: CollectorRegistry
) -> None:
    answers, refused = Answers(), Answers()
    for _ in range(2):  # the second measured pass is believed
        loop.submit(PREDICT, answers)
        assert executor.begun.acquire(timeout=10)
        clock.now += 0.03
        executor.let_go.release()
        answers.wait(1)
    loop.submit(PREDICT, answers)
    assert executor.begun.acquire(timeout=10)
    clock.now += 0.01
    for _ in range(6):
        loop.submit(PREDICT, answers)
    loop.submit(PREDICT, refused)
    (fault,) = refused.wait(1)
    assert isinstance(fault, EngineFault)
    assert fault.code == "busy"
    assert fault.retry_after == pytest.approx(0.02 + 6 * 0.03)
    assert registry.get_sample_value("innerloop_engine_queued_calls") == 6
    assert registry.get_sample_value("innerloop_engine_queued_seconds") == pytest.approx(0.18)
    assert registry.get_sample_value("innerloop_engine_dropped_total", {"reason": "full"}) == 1
    executor.let_go.release(2)
    assert [type(reply) for reply in answers.wait(7)] == [PredictReply] * 9


def test_a_tenant_over_its_share_is_refused_and_others_are_not(
    loop: EngineLoop, executor: HeldExecutor, registry: CollectorRegistry
) -> None:
    answers, refused = Answers(), Answers()
    loop.submit(predict_of("greedy"), answers)
    assert executor.begun.acquire(timeout=10)
    for _ in range(3):
        loop.submit(predict_of("greedy"), answers)
    loop.submit(predict_of("greedy"), refused)
    (fault,) = refused.wait(1)
    assert isinstance(fault, EngineFault)
    assert fault.code == "quota"
    assert fault.retry_after > 0
    assert registry.get_sample_value("innerloop_engine_dropped_total", {"reason": "share"}) == 1
    loop.submit(predict_of("modest"), answers)
    executor.let_go.release(2)
    assert [type(reply) for reply in answers.wait(5)] == [PredictReply] * 5


def test_a_cancelled_call_is_neither_run_nor_answered(
    loop: EngineLoop, executor: HeldExecutor, registry: CollectorRegistry
) -> None:
    answers, gone = Answers(), Answers()
    loop.submit(PREDICT, answers, "running")
    assert executor.begun.acquire(timeout=10)
    loop.submit(ADAPT, gone, "waits")
    loop.submit(PREDICT, answers, "stays")
    for name in ("waits", "waits", "running", "unknown"):
        loop.cancel(name)
    assert loop.status().queued == 1
    executor.let_go.release(3)
    answers.wait(2)
    assert executor.passes == [[PREDICT], [PREDICT]]
    assert gone.replies == []
    assert registry.get_sample_value("innerloop_engine_dropped_total", {"reason": "cancelled"}) == 1


def test_a_name_that_waits_already_is_refused_alone(loop: EngineLoop, executor: HeldExecutor) -> None:
    answers, twice = Answers(), Answers()
    loop.submit(PREDICT, answers)
    assert executor.begun.acquire(timeout=10)
    loop.submit(PREDICT, answers, "one")
    loop.submit(PREDICT, twice, "one")
    (fault,) = twice.wait(1)
    assert isinstance(fault, EngineFault)
    assert fault.code == "internal"
    executor.let_go.release(2)
    answers.wait(2)


def test_a_question_about_the_engine_is_answered_while_a_pass_runs(
    loop: EngineLoop, executor: HeldExecutor, clock: HandClock
) -> None:
    answers, pings = Answers(), Answers()
    loop.submit(PREDICT, answers)
    assert executor.begun.acquire(timeout=10)
    loop.submit(PREDICT, answers)
    clock.now += 2.0
    loop.submit(PingCall(), pings)
    loop.submit(MetricsCall(), pings)
    status, metrics = pings.replies
    assert isinstance(metrics, MetricsReply)
    assert b"innerloop_engine_batch_size" in metrics.text
    assert isinstance(status, EngineStatus)
    assert status.queued == 1
    assert status.busy_seconds == 2.0
    executor.let_go.release(2)
    answers.wait(2)


def test_stopping_finishes_what_waits_and_refuses_the_rest(loop: EngineLoop, executor: HeldExecutor) -> None:
    answers, late = Answers(), Answers()
    loop.submit(PREDICT, answers)
    assert executor.begun.acquire(timeout=10)
    loop.submit(ADAPT, answers)
    loop.stop()
    loop.submit(PREDICT, late)
    (fault,) = late.wait(1)
    assert isinstance(fault, EngineFault)
    assert fault.code == "busy"
    executor.let_go.release(2)
    assert len(answers.wait(2)) == 2
    loop.join(10)
    assert not loop.alive


def test_a_call_that_nobody_waits_for_any_more_is_not_run(
    loop: EngineLoop, executor: HeldExecutor, clock: HandClock, registry: CollectorRegistry
) -> None:
    answers, late = Answers(), Answers()
    loop.submit(PREDICT, answers)
    assert executor.begun.acquire(timeout=10)
    loop.submit(ADAPT, late)
    clock.now += 29.0
    loop.submit(PREDICT, answers)
    clock.now += 2.0
    executor.let_go.release(2)
    (fault,) = late.wait(1)
    assert isinstance(fault, EngineFault)
    assert fault.code == "busy"
    answers.wait(2)
    assert executor.passes == [[PREDICT], [PREDICT]]
    assert registry.get_sample_value("innerloop_engine_dropped_total", {"reason": "deadline"}) == 1


def test_a_lost_device_ends_the_loop_and_leaves_nobody_waiting(executor: HeldExecutor) -> None:
    def lost(calls: Sequence[DeviceCall]) -> list[Reply]:
        executor.begun.release()
        assert executor.let_go.acquire(timeout=10)
        raise RuntimeError("an illegal memory access was encountered")

    executor.run = lost
    loop = EngineLoop(executor, EngineSettings(), EngineMetrics(CollectorRegistry()))
    answers = Answers()
    loop.start()
    loop.submit(PREDICT, answers)
    assert executor.begun.acquire(timeout=10)
    loop.submit(ADAPT, answers)
    executor.let_go.release()
    assert [reply.code for reply in answers.wait(2)] == ["busy", "busy"]
    loop.join(10)
    assert not loop.alive
    loop.submit(PREDICT, answers)
    assert answers.wait(1)[-1].code == "busy"
