"""Requests, counted in plain numbers and put into Prometheus's form when it asks.

The library's own instruments take a lock for every number: for one event loop, thousands of requests a second,
that is time spent on nothing.
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from services.telemetry.metrics import SECONDS


class _Durations:
    """How many fell below each bound, the last being above them all, and their sum in seconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0


class HttpMetrics(Collector):
    """Requests by method, route template (never the raw path: ids would make a series each) and status.

    All but `collect` belongs to one event loop.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.in_flight = 0
        """Requests being served; the caller counts them up and down."""
        self._answered: dict[tuple[str, str, int], int] = {}
        self._took: dict[tuple[str, str], _Durations] = {}
        registry.register(self)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One more was answered, so many seconds after its head came."""
        outcome = (method, route, status)
        self._answered[outcome] = self._answered.get(outcome, 0) + 1
        took = self._took.get((method, route))
        if took is None:
            took = self._took[method, route] = _Durations()
        took.counts[bisect_left(SECONDS, seconds)] += 1
        took.sum += seconds

    def collect(self) -> Iterable[Metric]:
        """From whatever thread it is that Prometheus is answered in."""
        answered = CounterMetricFamily(
            "innerloop_http_requests", "Requests answered.", labels=("method", "route", "status")
        )
        for (method, route, status), count in self._answered.copy().items():
            answered.add_metric((method, route, str(status)), count)
        took = HistogramMetricFamily(
            "innerloop_http_request_seconds",
            "Time from the request's head to the end of its answer.",
            labels=("method", "route"),
        )
        names = [*map(floatToGoString, SECONDS), "+Inf"]
        for labels, durations in self._took.copy().items():
            below = accumulate(durations.counts.copy())
            took.add_metric(labels, list(zip(names, map(float, below), strict=True)), durations.sum)
        in_flight = GaugeMetricFamily(
            "innerloop_http_requests_in_flight", "Requests being served.", self.in_flight
        )
        return answered, took, in_flight
