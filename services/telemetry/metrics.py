"""What Prometheus reads. Each process makes its own registry and hands the instruments to those who count.

Knows names, labels and buckets; nothing here is global, so tests and processes do not share counts.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from services.telemetry.plain import PlainCounter, PlainHistogram

CONTENT_TYPE = CONTENT_TYPE_LATEST

DropReason = Literal["full", "share", "deadline", "cancelled"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the buckets that durations are counted in."""
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class EngineMetrics(Collector):
    """Device passes by kind of call (adapt, predict, adapt_predict), and the queue before them.

    Passes are counted by whoever has the device; what is dropped, by anybody.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._batch_size = PlainHistogram(
            "innerloop_engine_batch_size", "Calls that shared one device pass.", ("kind",), _SIZES
        )
        self._queue_seconds = PlainHistogram(
            "innerloop_engine_queue_seconds", "Time a call waited for its pass.", ("kind",), SECONDS
        )
        self._device_seconds = PlainHistogram(
            "innerloop_engine_device_seconds", "Time a pass took.", ("kind",), SECONDS
        )
        self._plans = PlainCounter(
            "innerloop_engine_plans", "Device passes by how they were run.", ("program", "plan")
        )
        self._hits = PlainCounter(
            "innerloop_engine_adapted_hits", "Adapted models by where they were found.", ("tier",)
        )
        self._dropped = Counter(
            "innerloop_engine_dropped",
            "Calls that were not run: refused because the queue was full or their tenant had its share of it, "
            "or taken out of it at their deadline or by their caller.",
            ("reason",),
            registry=registry,
        )
        for reason in get_args(DropReason):
            self._dropped.labels(reason)
        self._queued_calls = Gauge("innerloop_engine_queued_calls", "Calls that wait.", registry=registry)
        self._queued_seconds = Gauge(
            "innerloop_engine_queued_seconds",
            "Device time that the waiting calls are estimated to need.",
            registry=registry,
        )
        registry.register(self)

    def watch_queue(self, calls: Callable[[], int], seconds: Callable[[], float]) -> None:
        """Ask these for the queue's depth whenever Prometheus asks; from whatever thread that is."""
        self._queued_calls.set_function(calls)
        self._queued_seconds.set_function(seconds)

    def dropped(self, reason: DropReason, count: int = 1) -> None:
        """Calls that were not run."""
        self._dropped.labels(reason).inc(count)

    def count_plan(self, program: str, plan: str) -> None:
        self._plans.add((program, plan))

    def count_hit(self, tier: str) -> None:
        self._hits.add((tier,))

    def observe(self, kind: str, waits: Iterable[float], device_seconds: float) -> None:
        """One pass: the seconds that each of its calls waited, and the seconds that the pass took."""
        labels, calls = (kind,), 0
        for wait in waits:
            self._queue_seconds.observe(labels, wait)
            calls += 1
        self._batch_size.observe(labels, calls)
        self._device_seconds.observe(labels, device_seconds)

    def collect(self) -> Iterable[Metric]:
        counted = (self._batch_size, self._queue_seconds, self._device_seconds, self._plans, self._hits)
        return [one.family() for one in counted]

    def text(self) -> bytes:
        """Everything in the engine's registry, in Prometheus's text format."""
        return render(self._registry)


class JobsCollector(Collector):
    """Jobs by status, asked for when Prometheus asks; `counts` gives them (a query, so not on the event loop)."""

    def __init__(self, registry: CollectorRegistry, counts: Callable[[], Mapping[str, int]]) -> None:
        self._counts = counts
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily("innerloop_jobs", "Jobs by status.", labels=("status",))
        for status, count in self._counts().items():
            family.add_metric((status,), count)
        return (family,)

    def describe(self) -> Iterable[Metric]:
        # Without this, registering would run the query.
        return (GaugeMetricFamily("innerloop_jobs", "Jobs by status.", labels=("status",)),)


def render(registry: CollectorRegistry) -> bytes:
    """Everything a registry knows, in Prometheus's text format (`CONTENT_TYPE`)."""
    return generate_latest(registry)
