"""How much may wait, and how much may run at a time. Pure policy: figures in, a verdict out.

The bound on a tenant follows what is free (dynamic thresholds, Choudhury and Hahne 1998): one that floods alone
fills its share of the queue and no more, several that flood fill less each, and a newcomer always finds room.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Reason = Literal["full", "share"]


@dataclass(slots=True)
class Load:
    """Calls that wait, and the device time that they are estimated to need."""

    calls: int = 0
    seconds: float = 0.0

    def add(self, calls: int, seconds: float) -> None:
        self.calls += calls
        # Where nothing is left, no rounding is either.
        self.seconds = self.seconds + seconds if self.calls else 0.0


class Refusal(NamedTuple):
    """Why a call may not wait, and in how many seconds it may be worth another try."""

    reason: Reason
    retry_after: float


class QueueLimits(NamedTuple):
    """The engine's queue: `calls` and estimated device `seconds` at most, and the `share` of one tenant alone."""

    calls: int
    seconds: float
    share: float

    def verdict(self, waiting: Load, own: Load, seconds: float, *, shared: bool) -> Reason | None:
        """Why a call worth `seconds` is refused, where `own` of what waits is its tenant's.

        A call always finds room in an empty queue, however long it takes. Where the queue is not `shared`, all
        callers being one tenant, shares mean nothing.
        """
        if waiting.calls >= self.calls or (waiting.calls and waiting.seconds + seconds > self.seconds):
            return "full"
        if not shared or not own.calls or self.share >= 1.0:
            return None
        of_free = self.share / (1.0 - self.share)
        calls = of_free * (self.calls - waiting.calls)
        most = of_free * (self.seconds - waiting.seconds)
        return "share" if own.calls + 1 > calls or own.seconds + seconds > most else None


class PassLimits(NamedTuple):
    """One device pass: `calls` at most, several only within `numbers` of padded input and estimated `seconds`."""

    calls: int
    numbers: int
    seconds: float
