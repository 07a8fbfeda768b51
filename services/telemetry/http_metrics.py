"""Requests, counted for Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.telemetry.metrics import SECONDS
from services.telemetry.plain import PlainCounter, PlainHistogram


class HttpMetrics(Collector):
    """Requests by method, route template (never the raw path: ids would make a series each) and status.

    All but `collect` belongs to one event loop.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.in_flight = 0
        """Requests being served; the caller counts them up and down."""
        self._answered = PlainCounter(
            "innerloop_http_requests", "Requests answered.", ("method", "route", "status")
        )
        self._took = PlainHistogram(
            "innerloop_http_request_seconds",
            "Time from the request's head to the end of its answer.",
            ("method", "route"),
            SECONDS,
        )
        registry.register(self)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One more was answered, so many seconds after its head came."""
        self._answered.add((method, route, str(status)))
        self._took.observe((method, route), seconds)

    def collect(self) -> Iterable[Metric]:
        """From whatever thread it is that Prometheus is answered in."""
        in_flight = GaugeMetricFamily(
            "innerloop_http_requests_in_flight", "Requests being served.", self.in_flight
        )
        return self._answered.family(), self._took.family(), in_flight
