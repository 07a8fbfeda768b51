"""Counts and histograms in plain numbers, put into Prometheus's form when it asks.

The library's own instruments take a lock for every number: where thousands are counted in a second, by one thread
at a time, that is time spent on nothing.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]


class PlainCounter:
    """Counts by the values of its labels. Read from any thread."""

    def __init__(self, name: str, documentation: str, labels: Labels) -> None:
        self._described = (name, documentation, labels)
        self._counts: dict[Labels, int] = {}

    def add(self, labels: Labels, count: int = 1) -> None:
        self._counts[labels] = self._counts.get(labels, 0) + count

    def family(self) -> CounterMetricFamily:
        name, documentation, labels = self._described
        family = CounterMetricFamily(name, documentation, labels=labels)
        for values, count in self._counts.copy().items():
            family.add_metric(values, count)
        return family


class _Buckets:
    """How many fell below each bound, the last being above them all, and their sum."""

    def __init__(self, bounds: int) -> None:
        self.counts = [0] * (bounds + 1)
        self.sum = 0.0


class PlainHistogram:
    """Numbers by the values of its labels. Read from any thread."""

    def __init__(self, name: str, documentation: str, labels: Labels, bounds: Sequence[float]) -> None:
        """`bounds` are the upper ends of the buckets, rising."""
        self._described = (name, documentation, labels)
        self._bounds = bounds
        self._names = [*map(floatToGoString, bounds), "+Inf"]
        self._seen: dict[Labels, _Buckets] = {}

    def observe(self, labels: Labels, value: float) -> None:
        seen = self._seen.get(labels)
        if seen is None:
            seen = self._seen[labels] = _Buckets(len(self._bounds))
        seen.counts[bisect_left(self._bounds, value)] += 1
        seen.sum += value

    def family(self) -> HistogramMetricFamily:
        name, documentation, labels = self._described
        family = HistogramMetricFamily(name, documentation, labels=labels)
        for values, seen in self._seen.copy().items():
            below = map(float, accumulate(seen.counts.copy()))
            family.add_metric(values, list(zip(self._names, below, strict=True)), seen.sum)
        return family
