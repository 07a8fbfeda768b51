"""A scheduler with a device of its own, and calls to send to it. No engine, no clock but a number."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from services.engine.admission import PassLimits, QueueLimits, Refusal
from services.engine.batching import Batch, BatchKey, DeviceCall, Ticket, key_of
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
