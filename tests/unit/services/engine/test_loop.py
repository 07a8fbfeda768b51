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


class HeldExecutor:
    """Records the passes; each waits until it is let go."""

    def __init__(self) -> None:
        self.passes: list[Sequence[DeviceCall]] = []
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)

    def status(self) -> EngineStatus:
        return EngineStatus("cpu", 1, 0, 0)

    def run(self, calls: Sequence[DeviceCall]) -> list[Reply]:
        self.passes.append(calls)
        self.begun.release()
        assert self.let_go.acquire(timeout=10)
        return [PredictReply() for _ in calls]


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
def loop(executor: HeldExecutor, registry: CollectorRegistry) -> Iterator[EngineLoop]:
    loop = EngineLoop(executor, EngineSettings(engine_max_queued=3), EngineMetrics(registry))
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


def test_a_full_queue_refuses_and_goes_on(loop: EngineLoop, executor: HeldExecutor) -> None:
    answers, refused = Answers(), Answers()
    loop.submit(PREDICT, answers)
    assert executor.begun.acquire(timeout=10)
    for _ in range(3):
        loop.submit(PREDICT, answers)
    loop.submit(PREDICT, refused)
    (fault,) = refused.wait(1)
    assert isinstance(fault, EngineFault)
    assert fault.code == "busy"
    executor.let_go.release(2)
    assert [type(reply) for reply in answers.wait(4)] == [PredictReply] * 4


def test_a_question_about_the_engine_is_answered_while_a_pass_runs(
    loop: EngineLoop, executor: HeldExecutor
) -> None:
    answers, pings = Answers(), Answers()
    loop.submit(PREDICT, answers)
    assert executor.begun.acquire(timeout=10)
    loop.submit(PREDICT, answers)
    loop.submit(PingCall(), pings)
    loop.submit(MetricsCall(), pings)
    status, metrics = pings.replies
    assert isinstance(metrics, MetricsReply)
    assert b"innerloop_engine_batch_size" in metrics.text
    assert isinstance(status, EngineStatus)
    assert status.queued == 1
    assert status.busy_seconds > 0
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


def test_a_call_that_nobody_waits_for_any_more_is_not_run(executor: HeldExecutor) -> None:
    settings = EngineSettings(engine_timeout_seconds=1e-9)
    loop = EngineLoop(executor, settings, EngineMetrics(CollectorRegistry()))
    answers = Answers()
    loop.submit(PREDICT, answers)
    loop.start()
    (fault,) = answers.wait(1)
    assert isinstance(fault, EngineFault)
    assert fault.code == "busy"
    assert executor.passes == []
    loop.stop()
    loop.join(10)


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
