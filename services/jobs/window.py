"""Training metrics, averaged over windows of iterations: at most so many metric events a job. Pure."""

from collections import deque
from collections.abc import Mapping

MAX_WINDOWS = 200
SHORTEST = 10  # iterations; below, a window is noise and its event costs more than its iterations
RECENT = 5  # windows that what is shown is averaged over: a few episodes hard by chance move one window a lot


class MetricWindows:
    """Windows end where the iteration is a multiple of their length, so an interrupted job has the same ones."""

    def __init__(self, iterations: int) -> None:
        """`iterations` of the whole job."""
        self.length = max(SHORTEST, -(-iterations // MAX_WINDOWS))
        self._sums: dict[str, float] = {}
        self._count = 0
        self._before: deque[dict[str, float]] = deque(maxlen=RECENT)

    def room(self, iteration: int) -> int:
        """How many iterations are left of the window that the next one falls into."""
        return self.length - iteration % self.length

    def add(self, means: Mapping[str, float], count: int) -> None:
        """Take in the means over the latest `count` iterations."""
        for name, mean in means.items():
            self._sums[name] = self._sums.get(name, 0.0) + mean * count
        self._count += count

    def means(self) -> dict[str, float]:
        """Over the window so far, filled up with the mean of the one before: a few iterations alone are noise."""
        if not self._before:
            return {name: total / self._count for name, total in self._sums.items()}
        lacking = max(0, self.length - self._count)
        total = lacking + self._count
        return {
            name: (mean * lacking + self._sums.get(name, 0.0)) / total
            for name, mean in self._before[-1].items()
        }

    def recent(self) -> dict[str, float]:
        """Over the latest few windows and this one so far, by iterations."""
        weight = len(self._before) * self.length + self._count
        names = self._before[-1] if self._before else self._sums
        return {
            name: (self.length * sum(one[name] for one in self._before) + self._sums.get(name, 0.0)) / weight
            for name in names
        }

    def clear(self) -> None:
        """Begin the next window."""
        self._before.append(self.means())
        self._sums, self._count = {}, 0
