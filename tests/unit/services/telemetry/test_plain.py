"""What is counted in plain numbers reads as the library's own instruments do."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from services.telemetry.metrics import render
from services.telemetry.plain import PlainCounter, PlainHistogram

BOUNDS = (0.5, 1.0, 2.0)
NUMBERS = (0.1, 0.5, 0.75, 1.0, 1.5, 2.0, 7.0)


class _Both(Collector):
    def __init__(self) -> None:
        self.counter = PlainCounter("things", "Things.", ("kind",))
        self.histogram = PlainHistogram("sizes", "Sizes.", ("kind",), BOUNDS)

    def collect(self) -> Iterable[Metric]:
        return self.counter.family(), self.histogram.family()


def _lines(registry: CollectorRegistry) -> set[str]:
    # The library tells when a series was made, too.
    return {line for line in render(registry).decode().splitlines() if "_created" not in line}


def test_the_same_text_as_the_librarys_own() -> None:
    plain, library = CollectorRegistry(), CollectorRegistry()
    both = _Both()
    plain.register(both)
    counter = Counter("things", "Things.", ("kind",), registry=library)
    histogram = Histogram("sizes", "Sizes.", ("kind",), buckets=BOUNDS, registry=library)
    for number in NUMBERS:
        for kind in ("a", "b"):
            both.counter.add((kind,), 2)
            counter.labels(kind).inc(2)
            both.histogram.observe((kind,), number)
            histogram.labels(kind).observe(number)
    assert _lines(plain) == _lines(library)
