"""Passes that whoever brings calls runs by himself, around an executor that does as the test says."""

import threading
import time
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from services.engine.batching import DeviceCall, Sliced
from services.engine.loop import EngineLoop
from services.engine.messages import PredictCall, Reply
from services.engine.settings import EngineSettings
from services.telemetry.metrics import EngineMetrics
from tests.unit.services.engine.test_loop import ADAPT, PREDICT, Answers, HandClock, HeldExecutor, X


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class BriefExecutor(HeldExecutor):
    """Its model is loaded, and its passes take no time by the clock; knows the threads that they ran on."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[str] = []
        self.hasty = 0

    def has(self, artifact: str) -> bool:
        return artifact == "a"

    def run(self, calls: Sequence[DeviceCall]) -> list[Reply]:
        self.threads.append(threading.current_thread().name)
        return super().run(calls)

    def run_in_haste(self, calls: Sequence[DeviceCall]) -> list[Reply]:
        self.hasty += 1
        return super().run_in_haste(calls)


def _brief_loop(executor: HeldExecutor, clock: HandClock) -> EngineLoop:
    """A loop that has measured passes of no length for `PREDICT`."""
    loop = EngineLoop(executor, EngineSettings(), EngineMetrics(CollectorRegistry()), clock)
    loop.start()
    executor.let_go.release(100)
    known = Answers()
    for _ in range(3):
        loop.submit(PREDICT, known)
        known.wait(1)
    # An answer is out a moment before the device is free.
    while not loop._is_free:
        time.sleep(0.001)
    return loop


def test_a_brief_pass_is_run_by_whoever_brings_it(clock: HandClock) -> None:
    executor, answers = BriefExecutor(), Answers()
    loop = _brief_loop(executor, clock)
    executor.threads.clear()
    assert not loop.run_brief()  # nothing waits
    for _ in range(2):
        loop.offer(PREDICT, answers)
    assert loop.run_brief()
    assert len(answers.replies) == 2
    assert executor.threads == [threading.current_thread().name]
    assert executor.hasty == 1
    loop.stop()
    loop.join(10)
    assert not loop.alive


def test_a_long_pass_and_one_whose_model_is_not_loaded_are_the_threads(clock: HandClock) -> None:
    executor, answers = BriefExecutor(), Answers()
    loop = _brief_loop(executor, clock)
    executor.threads.clear()
    loop.offer(ADAPT, answers)  # never measured: taken for long
    assert not loop.run_brief()
    answers.wait(1)
    other = PredictCall("b", "d", X)
    loop.offer(other, answers)
    loop.run_brief()
    answers.wait(1)
    assert executor.threads == ["engine", "engine"]
    loop.stop()
    loop.join(10)


def test_one_pass_at_a_time_whoever_runs_it(clock: HandClock) -> None:
    executor, answers = BriefExecutor(), Answers()
    loop = _brief_loop(executor, clock)
    while executor.let_go.acquire(blocking=False):
        pass
    while executor.begun.acquire(blocking=False):
        pass
    loop.offer(ADAPT, answers)
    assert not loop.run_brief()  # handed to the thread, awake or not
    loop.offer(PREDICT, answers)
    assert not loop.run_brief()
    assert executor.begun.acquire(timeout=10)
    assert not loop.run_brief()
    assert executor.passes[-1] == [ADAPT]
    executor.let_go.release(2)
    answers.wait(2)
    assert executor.passes[-1] == [PREDICT]
    loop.stop()
    loop.join(10)
    assert not loop.alive


class SlicedExecutor(BriefExecutor):
    """Adapts in slices without end."""

    def run(self, calls: Sequence[DeviceCall]) -> list[Reply]:
        replies = super().run(calls)
        return [Sliced(ADAPT, None)] if calls[0] is ADAPT else replies  # type: ignore[list-item]


def test_a_caller_that_left_before_the_thread_began_is_worked_for_no_further(clock: HandClock) -> None:
    executor = SlicedExecutor()
    loop = _brief_loop(executor, clock)
    with loop._wake:  # the thread does not get to what it is handed
        loop.offer(ADAPT, lambda reply: pytest.fail(f"answered: {reply}"), "left")
        assert not loop.run_brief()
        loop.cancel("left")
    loop.stop()
    executor.let_go.release(100)
    loop.join(10)
    assert [calls for calls in executor.passes if calls != [PREDICT]] == [[ADAPT]]


def test_who_comes_while_nothing_is_run_here_is_run_all_the_same(clock: HandClock) -> None:
    """A call comes while another is found to be late: its thread is roused while the device is not free."""
    executor, answers = BriefExecutor(), Answers()
    loop = _brief_loop(executor, clock)

    def late(_reply: Reply) -> None:
        loop.submit(PREDICT, answers)
        time.sleep(0.05)  # the thread has looked, and waits again

    loop.offer(PREDICT, late)
    clock.now += 31.0
    assert not loop.run_brief()
    answers.wait(1)
    loop.stop()
    loop.join(10)
    assert not loop.alive


def test_a_device_that_is_lost_in_a_brief_pass_ends_the_loop(clock: HandClock) -> None:
    executor, answers = BriefExecutor(), Answers()
    loop = _brief_loop(executor, clock)

    def lost(_calls: Sequence[DeviceCall]) -> list[Reply]:
        raise RuntimeError("an illegal memory access was encountered")

    executor.run = lost
    loop.offer(PREDICT, answers)
    loop.run_brief()
    assert [reply.code for reply in answers.replies] == ["busy"]
    loop.join(10)
    assert not loop.alive
