"""How fast a job goes, and when it will be done. Pure: seconds are handed in."""

import math

_MEMORY_S = 5.0  # how far back the speed remembers
_EVENTS = 400  # how many progress events the first part of a job gets before they thin out
_LONGEST_GAP_S = 10.0


class Pace:
    """Iterations a second, smoothed exponentially over the last few seconds."""

    def __init__(self, iteration: int, now: float) -> None:
        """`now` in seconds, from any start, never running backwards."""
        self._started = self._at = self._event_at = now
        self._iteration = iteration
        self._rate: float | None = None
        self._warm = False

    def reached(self, iteration: int, now: float) -> None:
        """Note how far the job is at a moment."""
        seconds = now - self._at
        if seconds <= 0.0 or iteration <= self._iteration:
            return
        alone = iteration - self._iteration == 1 and not self._warm
        self._warm = True
        if alone:  # the first iteration sets everything up: it may take as long as hundreds that follow
            self._at, self._iteration = now, iteration
            return
        rate = (iteration - self._iteration) / seconds
        weight = 1.0 - math.exp(-seconds / _MEMORY_S)
        self._rate = rate if self._rate is None else self._rate + weight * (rate - self._rate)
        self._at, self._iteration = now, iteration

    def seconds_left(self, iterations: int) -> float | None:
        """Until `iterations` are done, at the present speed; None before there is any."""
        if self._rate is None:
            return None
        return round(max(0, iterations - self._iteration) / self._rate, 1)

    def event_due(self, now: float) -> bool:
        """Whether a progress event is due; asking says that it is then written.

        Events thin out as a job goes on, so that one of a day does not leave a hundred thousand of them.
        """
        gap = min((now - self._started) / _EVENTS, _LONGEST_GAP_S)
        if now - self._event_at < gap:
            return False
        self._event_at = now
        return True
