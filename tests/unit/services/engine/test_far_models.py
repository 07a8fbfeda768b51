"""Calls whose adapted model is fetched from storage while others run."""

import threading
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from services.engine.batching import DeviceCall
from services.engine.loader import Loader
from services.engine.loop import EngineLoop
from services.engine.messages import PredictCall
from services.engine.settings import EngineSettings
from services.telemetry.metrics import EngineMetrics
from tests.unit.services.engine.test_loop import PREDICT, Answers, HandClock, HeldExecutor, X


class FarExecutor(HeldExecutor):
    """Lacks the adapted model "far" until it is brought."""

    def __init__(self) -> None:
        super().__init__()
        self.brought: list[tuple[str, bytes]] = []

    def lacks(self, call: DeviceCall) -> str | None:
        return "far" if isinstance(call, PredictCall) and call.digest == "far" and not self.brought else None

    def accept(self, digest: str, file: bytes) -> None:
        self.brought.append((digest, file))


def test_a_call_whose_model_is_far_keeps_nobody_waiting() -> None:
    clock = HandClock()
    executor, reading, may_read = FarExecutor(), threading.Semaphore(0), threading.Semaphore(0)

    def read_many(digests: Sequence[str]) -> dict[str, bytes]:
        reading.release()
        assert may_read.acquire(timeout=10)
        return dict.fromkeys(digests, b"file")

    metrics = EngineMetrics(CollectorRegistry())
    loop = EngineLoop(executor, EngineSettings(), metrics, clock, Loader(read_many))
    loop.start()
    far, near = Answers(), Answers()
    far_call = PredictCall("a", "far", X)
    loop.submit(far_call, far)
    assert reading.acquire(timeout=10)
    left = Answers()
    loop.submit(far_call, left, name="left")
    loop.cancel("left")
    executor.let_go.release(10)
    loop.submit(PREDICT, near)
    near.wait(1)
    assert far.replies == []
    assert executor.brought == []
    may_read.release(2)
    far.wait(1)
    assert executor.brought[0] == ("far", b"file")
    assert executor.passes == [[PREDICT], [far_call]]
    loop.submit(far_call, far)
    far.wait(1)  # near by now
    assert len(executor.passes) == 3
    assert left.replies == []
    loop.stop()
    loop.join(10)
    assert not loop.alive
