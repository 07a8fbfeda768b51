"""The engine's thread: calls wait, batches run, replies go out. Knows no transport and no tensor."""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from services.engine.batching import Batch, Ticket, WaitingCalls
from services.engine.executor import Executor
from services.engine.messages import (
    Call,
    EngineFault,
    EngineStatus,
    MetricsCall,
    MetricsReply,
    PingCall,
    Reply,
)
from services.engine.settings import EngineSettings
from services.telemetry.metrics import EngineMetrics

logger = logging.getLogger(__name__)

Answer = Callable[[Reply], None]
"""Takes a reply, on whatever thread it is ready; must not block and must not raise."""


class _Caller(NamedTuple):
    answer: Answer
    arrived: float  # monotonic seconds


class EngineLoop:
    """One device's queue and the thread that works it off. Every method may be called from any thread."""

    def __init__(self, executor: Executor, settings: EngineSettings, metrics: EngineMetrics) -> None:
        self._executor = executor
        self._metrics = metrics
        self._max_queued = settings.engine_max_queued
        self._timeout_seconds = settings.engine_timeout_seconds
        self._waiting: WaitingCalls[_Caller] = WaitingCalls(
            max_batch=settings.engine_max_batch, max_numbers=settings.engine_max_batch_numbers
        )
        self._inbox: list[Ticket[_Caller]] = []
        self._wake = threading.Condition()
        self._stopping = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; False after `stop`, and after a defect that ended it."""
        return self._thread.is_alive()

    def submit(self, call: Call, answer: Answer) -> None:
        """Queue a call. Its one reply goes to `answer`; at once where it needs no device or finds no room."""
        if isinstance(call, PingCall):
            answer(self.status())
            return
        if isinstance(call, MetricsCall):
            answer(MetricsReply(self._metrics.text()))
            return
        arrived = time.monotonic()
        ticket = Ticket(call, _Caller(answer, arrived), arrived + self._timeout_seconds)
        with self._wake:
            refusal = self._refusal()
            if refusal is None:
                self._inbox.append(ticket)
                self._wake.notify()
        if refusal is not None:
            answer(EngineFault("busy", refusal))

    def status(self) -> EngineStatus:
        since = self._busy_since
        return msgspec.structs.replace(
            self._executor.status(),
            queued=self._queued(),
            busy_seconds=0.0 if since is None else time.monotonic() - since,
        )

    def stop(self) -> None:
        """Take no more calls; the thread ends when those that wait are done."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def join(self, timeout_seconds: float) -> None:
        """Wait for the thread to end, after `stop`."""
        self._thread.join(timeout_seconds)

    def _queued(self) -> int:
        return len(self._inbox) + len(self._waiting)

    def _refusal(self) -> str | None:
        if self._stopping:
            return "the engine is stopping"
        if self._queued() >= self._max_queued:
            return "the engine has as many calls waiting as it takes"
        return None

    def _work(self) -> None:
        while True:
            with self._wake:
                while not (self._inbox or len(self._waiting) or self._stopping):
                    self._wake.wait()
                arrived, self._inbox = self._inbox, []
            for ticket in arrived:
                self._waiting.add(ticket)
            batch = self._waiting.next_batch()
            if batch is None:
                return
            try:
                self._run(batch)
            except Exception:
                logger.critical("the device is lost: this engine ends", exc_info=True)
                self._give_up(batch)
                return

    def _give_up(self, batch: Batch[_Caller]) -> None:
        with self._wake:
            self._stopping = True
            left = [*batch.tickets, *self._inbox]
        while (waiting := self._waiting.next_batch()) is not None:
            left.extend(waiting.tickets)
        for ticket in left:
            ticket.token.answer(EngineFault("busy", "the engine lost its device; it is being restarted"))

    def _run(self, batch: Batch[_Caller]) -> None:
        begun = time.monotonic()
        tickets = [ticket for ticket in batch.tickets if ticket.deadline > begun]
        for ticket in batch.tickets:
            if ticket.deadline <= begun:
                ticket.token.answer(EngineFault("busy", "the call waited too long for the engine"))
        if not tickets:
            return
        self._busy_since = begun
        replies = self._executor.run([ticket.call for ticket in tickets])
        self._busy_since = None
        # Counted first: whoever has a reply finds it in the figures.
        waits = (begun - ticket.token.arrived for ticket in tickets)
        self._metrics.observe(str(batch.key.kind.__struct_config__.tag), waits, time.monotonic() - begun)
        for ticket, reply in zip(tickets, replies, strict=True):
            ticket.token.answer(reply)
