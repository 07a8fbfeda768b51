"""How long a device pass takes, learned from the passes that were measured. Pure arithmetic: no clock, no queue.

Seconds of a pass of n calls are a line in n: what it costs to start one, and what each call adds. The line is a
least-squares fit whose past fades exponentially, so that it follows a plan that was swapped or a model that left
the cache.
"""

from collections import OrderedDict
from dataclasses import dataclass

from services.engine.batching import BatchKey

_FADE = 0.2  # what the newest of many passes weighs
_SURPRISE = 4.0  # a pass counts for at most this many times what was expected: loading a model is no rule
_LEAST = 1e-9  # seconds; what nothing less than takes
_SPREAD = 1.0  # passes whose sizes vary less than this say little about what one call adds


@dataclass(slots=True)
class _Line:
    """Faded moments of (calls, seconds) over the passes of one key."""

    passes: int = 0
    calls: float = 0.0
    seconds: float = 0.0
    spread: float = 0.0
    together: float = 0.0

    @property
    def each(self) -> float:
        """Seconds a call, as passes come."""
        return self.seconds / self.calls

    @property
    def added(self) -> float:
        """Seconds that one more call adds. In doubt a pass is all its calls: then a larger one is no surprise."""
        slope = (self.together + _SPREAD * self.each) / (self.spread + _SPREAD)
        return min(max(slope, 0.0), self.each)

    def of(self, calls: float) -> float:
        return self.seconds + self.added * (calls - self.calls)

    def learn(self, calls: int, seconds: float) -> None:
        self.passes += 1
        # The first pass loads the model and warms its program: the second takes its place.
        weight = max(_FADE, 1.0 / max(1, self.passes - 1))
        more, longer = calls - self.calls, seconds - self.seconds
        self.calls += weight * more
        self.seconds += weight * longer
        self.spread = (1.0 - weight) * (self.spread + weight * more * more)
        self.together = (1.0 - weight) * (self.together + weight * more * longer)


class PassTimes:
    """Estimates by key, in seconds. Knows the `most_keys` that were measured last; the others are guessed."""

    def __init__(self, guess: float = 0.01, most_keys: int = 4096) -> None:
        """`guess` is taken for each call of a key that was never measured: more than most calls need."""
        self._guess = guess
        self._most_keys = most_keys
        self._lines: OrderedDict[BatchKey, _Line] = OrderedDict()

    def of_pass(self, key: BatchKey, calls: int) -> float:
        """How long a pass of so many calls takes."""
        line = self._lines.get(key)
        return self._guess * calls if line is None else line.of(calls)

    def of_call(self, key: BatchKey) -> float:
        """What a call takes of the device when it shares passes as such calls do."""
        line = self._lines.get(key)
        return self._guess if line is None else line.each

    def most_calls(self, key: BatchKey, seconds: float) -> int:
        """How many calls a pass has time for: one always, and as many as make starting it worth while."""
        line = self._lines.get(key)
        start, added = (0.0, self._guess) if line is None else (line.of(0), line.added)
        return max(1, int(max(seconds - start, start) / max(added, _LEAST)))

    def measured(self, key: BatchKey, calls: int, seconds: float) -> None:
        """Learn from a pass that took so long."""
        most = _SURPRISE * self.of_pass(key, calls)
        line = self._lines.setdefault(key, _Line())
        self._lines.move_to_end(key)
        line.learn(calls, min(seconds, most) if most > 0.0 else seconds)
        if len(self._lines) > self._most_keys:
            self._lines.popitem(last=False)
