"""Load until every program runs by the plan that it will keep. Bounded; says which plan that was.

The engine compiles what is asked a lot, beside its work, a program for each rung of 1, 4, 16 and 64 tasks: so each
number of clients keeps other rungs busy, until their passes are compiled or nothing more is being compiled.
"""

import time
from collections.abc import Sequence

from tests.benchmarks.contenders import Ours
from tests.benchmarks.engine_counts import PLANS, between, counts_of, mix
from tests.benchmarks.load import LoadProcess
from tests.benchmarks.process_tree import is_compiling
from tests.benchmarks.progress import say

CLIENTS = (1, 3, 12, 64)
_BURST_SECONDS = 4.0
_FIRST_SECONDS = 1.0
_ENOUGH = 0.95
_LEAST_BURSTS = 4
_IDLE_BURSTS = 2


class _Rungs:
    """What one number of clients keeps busy: the plans of its last burst, and how often nothing was compiling."""

    def __init__(self) -> None:
        self.plans: dict[str, float] = {}
        self.bursts = 0
        self.idle = 0

    @property
    def settled(self) -> bool:
        compiled = self.plans.get("compiled", 0.0) / max(1.0, sum(self.plans.values()))
        return compiled >= _ENOUGH or (self.bursts > _LEAST_BURSTS and self.idle >= _IDLE_BURSTS)


def warm(
    service: Ours,
    load: LoadProcess,
    requests: Sequence[bytes],
    program: str,
    *,
    patience_seconds: float,
    clients: Sequence[int] = CLIENTS,
) -> dict[int, str]:
    """The plans of `program` at each number of clients, by share of passes, once they have settled.

    They take turns, so that the compiler has its orders early. With no patience at all each has one short burst.
    """
    until = time.monotonic() + patience_seconds
    all_of_them = {number: _Rungs() for number in clients}
    while unsettled := [number for number, rungs in all_of_them.items() if not rungs.settled]:
        for number in unsettled:
            _burst(service, load, requests, program, number, all_of_them[number])
        if time.monotonic() > until:
            break
    found = {number: mix(rungs.plans) for number, rungs in all_of_them.items()}
    for number, plans in found.items():
        say(f"{program}, {number} clients: {plans}")
    return found


def _burst(
    service: Ours, load: LoadProcess, requests: Sequence[bytes], program: str, clients: int, rungs: _Rungs
) -> None:
    seconds = _BURST_SECONDS if rungs.bursts else _FIRST_SECONDS
    before = counts_of(service.metrics())
    load.run(service.port, requests, clients=clients, seconds=seconds)
    rungs.plans = between(before, counts_of(service.metrics()), PLANS, "plan", program=program)
    rungs.bursts += 1
    rungs.idle = 0 if is_compiling(service.pids["engine"]) else rungs.idle + 1
    service.check()
