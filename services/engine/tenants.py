"""What each tenant has waiting and how much of the device it has had. Pure bookkeeping: no queue, no clock.

Fairness is that of weighted fair queueing (Demers, Keshav and Shenker 1989) over device seconds, charged as they
are measured, like the virtual token counter of Sheng et al. 2024: whoever received least goes next, and who comes
back after a pause starts at what an even share has come to meanwhile, so that a pause saves nothing up.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

from services.engine.admission import Load
from services.engine.batching import BatchKey, Lane


def _turns() -> tuple[OrderedDict[BatchKey, None], ...]:
    return tuple(OrderedDict() for _ in Lane)


@dataclass(slots=True, eq=False)
class Tenant:
    """One principal. `received` is in device seconds, on a scale that all tenants share; `served` is the last pass
    that it was part of, counted from 1.

    `load` is what it has waiting, and `turns` the keys of that by lane, the one whose turn it is first.
    """

    principal: str
    received: float
    served: int = 0
    load: Load = field(default_factory=Load)
    turns: tuple[OrderedDict[BatchKey, None], ...] = field(default_factory=_turns)


class Tenants:
    """Those who wait, and those who left with more than an even share and may come back before it is one.

    Everybody else starts at an even share when they come.
    """

    def __init__(self) -> None:
        self._known: dict[str, Tenant] = {}
        self._waiting: dict[str, Tenant] = {}
        self._level = 0.0  # what an even share of the device has come to
        self._passes = 0

    @property
    def waiting(self) -> int:
        """How many tenants have calls waiting."""
        return len(self._waiting)

    def of(self, principal: str) -> Tenant:
        """The tenant; a new one starts level with the others."""
        tenant = self._known.get(principal)
        if tenant is None:
            tenant = self._known[principal] = Tenant(principal, self._level)
        return tenant

    def wait(self, tenant: Tenant, calls: int, seconds: float) -> None:
        """So many more calls wait (or fewer, below nought), worth so much."""
        if not tenant.load.calls:
            self._waiting[tenant.principal] = tenant
        tenant.load.add(calls, seconds)
        if not tenant.load.calls:
            del self._waiting[tenant.principal]

    def next_in(self, lane: Lane) -> Tenant | None:
        """Whose turn it is among those with calls in this lane."""
        among: Iterable[Tenant] = (tenant for tenant in self._waiting.values() if tenant.turns[lane])
        return min(among, key=lambda tenant: (tenant.received, tenant.served), default=None)

    def charge(self, calls: Counter[str], seconds: float) -> None:
        """A pass took so long for so many calls of each principal."""
        self._passes += 1
        each = seconds / calls.total()
        for principal, count in calls.items():
            tenant = self.of(principal)
            tenant.received += each * count
            tenant.served = self._passes
        if not self._waiting:
            # Nobody had more than others at anybody's cost: all begin anew.
            self._known.clear()
            self._level = 0.0
            return
        # It rises with every pass, whoever was served: no stream of newcomers keeps anybody waiting for ever.
        self._level = max(self._level, fmean(tenant.received for tenant in self._known.values()))
        for principal, tenant in list(self._known.items()):
            if not tenant.load.calls and tenant.received <= self._level:
                del self._known[principal]
