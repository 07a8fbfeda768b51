"""The engine's thread: calls wait, batches run, replies go out. Knows no transport and no tensor.

Which calls wait and which go next is the scheduler's to say; this gives it the time and a lock. Whoever brings
calls may run a brief pass by himself (`run_brief`), for waking a thread takes as long. There is one pass at a time.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import msgspec

from services.engine.arrivals import Arrivals
from services.engine.batching import Batch, DeviceCall, Sliced, Ticket, key_of
from services.engine.executor import Executor
from services.engine.faults import refused
from services.engine.loader import Loader
from services.engine.messages import (
    Call,
    EngineFault,
    EngineStatus,
    MetricsCall,
    MetricsReply,
    PingCall,
    Reply,
)
from services.engine.scheduler import Scheduler
from services.engine.settings import EngineSettings
from services.telemetry.metrics import EngineMetrics

logger = logging.getLogger(__name__)

_BRIEF_SECONDS = 0.005
"""What whoever brings calls runs by himself: he brings nothing and answers no ping meanwhile."""

Answer = Callable[[Reply], None]
"""Takes a reply, on whatever thread it is ready; must not block and must not raise."""

_Run = Callable[[Sequence[DeviceCall]], Sequence[Reply | Sliced]]


class _Turn(NamedTuple):
    """A pass, None where nothing waits, and when it begins."""

    batch: Batch[Answer] | None
    begun: float


class EngineLoop:
    """One device's queue and the thread that works it off. Every method may be called from any thread."""

    def __init__(
        self,
        executor: Executor,
        settings: EngineSettings,
        metrics: EngineMetrics,
        clock: Callable[[], float] = time.monotonic,
        loader: Loader | None = None,
    ) -> None:
        """Without a `loader` the executor reads by itself what it lacks, while everybody waits."""
        self._executor = executor
        self._metrics = metrics
        self._clock = clock
        self._timeout_seconds = settings.engine_timeout_seconds
        self._max_queued = settings.engine_max_queued
        self._arrivals = None if loader is None else Arrivals(loader)
        self._sliced: set[Hashable] = set()  # names of calls that were run in part
        self._gone: set[Hashable] = set()  # names that were cancelled once the pass under way was chosen
        self._waiting: Scheduler[Answer] = Scheduler(settings.queue_limits, settings.pass_limits)
        self._wake = threading.Condition()
        self._stopping = False
        self._busy_since: float | None = None
        self._handed: Batch[Answer] | None = None  # taken out of the queue, for the thread to run
        self._is_free = True  # the device: no pass is under way
        self._is_lost = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        metrics.watch_queue(lambda: len(self._waiting), lambda: self._waiting.seconds)

    def start(self) -> None:
        self._thread.start()
        if self._arrivals is not None:
            self._arrivals.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; False after `stop`, and after a defect that ended it."""
        return self._thread.is_alive()

    def submit(self, call: Call, answer: Answer, name: Hashable = None) -> None:
        """Queue a call. Its one reply goes to `answer`; at once where it needs no device or finds no room.

        `name` is what `cancel` takes; no two calls that wait may have the same.
        """
        self.offer(call, answer, name)
        self._rouse()

    def offer(self, call: Call, answer: Answer, name: Hashable = None) -> None:
        """The same for whoever calls `run_brief` afterwards, until it has nothing to run: no thread is woken."""
        if isinstance(call, PingCall):
            answer(self.status())
        elif isinstance(call, MetricsCall):
            answer(MetricsReply(self._metrics.text()))
        else:
            self._take(call, answer, object() if name is None else name)

    def run_brief(self) -> bool:
        """Run the next pass here if it is brief and the device is free; whether it was. The thread gets any other.

        Before `start`, and after `stop`, there is nothing to run.
        """
        if not len(self._waiting):
            return False
        with self._wake:
            if not self._is_free or self._handed is not None or self._stopping or not self.alive:
                return False  # whoever has the device, or is about to, takes what waits
            self._is_free = False
        turn = self._next()
        batch = turn.batch
        if batch is not None and not self._is_brief(batch):
            self._handed, batch = batch, None
        if batch is not None:
            self._guarded(batch, turn.begun, self._executor.run_in_haste)
        with self._wake:
            self._is_free = True
            # Whoever roused the thread meanwhile, while the device was not free, roused it for nothing.
            if batch is None or self._stopping:
                self._wake.notify()
        return batch is not None

    def cancel(self, name: Hashable) -> None:
        """Forget a call that still waits: it is not run and not answered. One that is being run is answered, unless
        that is a part of it: it is not run further."""
        with self._wake:
            was_there = self._arrivals is not None and self._arrivals.forget(name)
            was_there |= self._waiting.cancel(name) is not None or name in self._sliced
            self._sliced.discard(name)
            if self._handed is not None or not self._is_free:
                self._gone.add(name)
        if was_there:
            self._metrics.dropped("cancelled")

    def status(self) -> EngineStatus:
        since = self._busy_since
        return msgspec.structs.replace(
            self._executor.status(),
            queued=len(self._waiting),
            busy_seconds=0.0 if since is None else self._clock() - since,
        )

    def stop(self) -> None:
        """Take no more calls; the thread ends when those that wait are done."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._arrivals is not None:
            self._arrivals.stop()

    def join(self, timeout_seconds: float) -> None:
        """Wait for the thread to end, after `stop`."""
        self._thread.join(timeout_seconds)

    def _take(self, call: DeviceCall, answer: Answer, name: Hashable) -> None:
        """Queue a call, once its adapted model is near."""
        digest = None if self._arrivals is None else self._executor.lacks(call)
        if self._arrivals is None or digest is None or len(self._arrivals) >= self._max_queued:
            self._enter(call, answer, name)
            return

        def arrived() -> None:
            self._enter(call, answer, name)
            self._rouse()

        self._arrivals.fetch(digest, name, arrived)

    def _enter(self, call: DeviceCall, answer: Answer, name: Hashable) -> None:
        fault = self._admit(call, answer, name)
        if fault is not None:
            answer(fault)

    def _admit(self, call: DeviceCall, answer: Answer, name: Hashable) -> EngineFault | None:
        now = self._clock()
        return self._offer(Ticket(name, call, key_of(call), answer, now, now + self._timeout_seconds), now)

    def _offer(self, ticket: Ticket[Answer], now: float) -> EngineFault | None:
        with self._wake:
            if self._stopping:
                return EngineFault("busy", "the engine is stopping")
            try:
                refusal = self._waiting.offer(ticket, now)
            except ValueError as error:
                return EngineFault("internal", str(error))
            if refusal is None:
                return None
        self._metrics.dropped(refusal.reason)
        # What waits longer than this is dropped, so that the queue is never longer.
        return refused(refusal, self._timeout_seconds)

    def _again(self, ticket: Ticket[Answer], call: Sliced) -> None:
        """Queue a call for its next slice, as one that comes now; its caller waits no longer for that."""
        now = self._clock()
        with self._wake:
            is_first = not isinstance(ticket.call, Sliced)
            if ticket.name in self._gone or not (is_first or ticket.name in self._sliced):
                return
            self._sliced.add(ticket.name)
        if now >= ticket.deadline:
            fault: EngineFault | None = EngineFault(
                "busy", "the engine had no time to end this call's work; fewer examples take less"
            )
            self._metrics.dropped("deadline")
        else:
            fault = self._offer(ticket._replace(call=call, key=key_of(call), arrived=now), now)
        if fault is not None:
            with self._wake:
                self._sliced.discard(ticket.name)
            ticket.token(fault)

    def _rouse(self) -> None:
        with self._wake:
            self._wake.notify()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not (self._is_free and (self._handed or len(self._waiting) or self._stopping)):
                    self._wake.wait()
                if not (self._handed or len(self._waiting)):
                    return
                self._is_free = False
                handed, self._handed = self._handed, None
            turn = self._next() if handed is None else _Turn(handed, self._clock())
            if turn.batch is not None:
                self._guarded(turn.batch, turn.begun, self._executor.run)
            with self._wake:
                self._is_free = True
                if self._is_lost:
                    return

    def _next(self) -> _Turn:
        """What the device runs next, which begins now; whoever asks has the device."""
        with self._wake:
            now = self._clock()
            self._gone.clear()
            late = self._waiting.expire(now)
            batch = self._waiting.next_batch(now)
            delay = self._waiting.delay(now)
        if late:
            self._drop(late, min(delay, self._timeout_seconds))
        for digest, file in () if self._arrivals is None else self._arrivals.taken():
            self._executor.accept(digest, file)
        return _Turn(batch, now)

    def _is_brief(self, batch: Batch[Answer]) -> bool:
        return self._waiting.expected < _BRIEF_SECONDS and self._executor.has(batch.key.artifact)

    def _guarded(self, batch: Batch[Answer], begun: float, run: _Run) -> None:
        try:
            self._run(batch, begun, run)
        except Exception:
            logger.critical("the device is lost: this engine ends", exc_info=True)
            self._give_up(batch)

    def _drop(self, late: list[Ticket[Answer]], delay: float) -> None:
        self._metrics.dropped("deadline", len(late))
        for ticket in late:
            ticket.token(EngineFault("busy", "the call waited too long for the engine", delay))

    def _give_up(self, batch: Batch[Answer]) -> None:
        with self._wake:
            self._stopping = self._is_lost = True
            left = [*batch.tickets, *self._waiting.drain()]
        for ticket in left:
            ticket.token(EngineFault("busy", "the engine lost its device; it is being restarted"))

    def _run(self, batch: Batch[Answer], begun: float, run: _Run) -> None:
        self._busy_since = begun
        replies = run([ticket.call for ticket in batch.tickets])
        self._busy_since = None
        seconds = self._clock() - begun
        with self._wake:
            self._waiting.finished(seconds)
        # Counted first: whoever has a reply finds it in the figures.
        waits = (begun - ticket.arrived for ticket in batch.tickets)
        self._metrics.observe(str(batch.key.kind.__struct_config__.tag), waits, seconds)
        for ticket, reply in zip(batch.tickets, replies, strict=True):
            if isinstance(reply, Sliced):
                self._again(ticket, reply)
                continue
            with self._wake:
                self._sliced.discard(ticket.name)
            ticket.token(reply)
