"""Which calls wait, and which of them make the next device pass. Pure policy: no torch, no clock, no thread.

Three rules, in this order. Tenants share the device evenly, by the seconds it works for each. Predictions go ahead
of adaptations, and both ahead of background work, but only so often and only so far. Within a tenant and a lane
the keys take turns. Whoever's turn it is, the pass is filled with calls of the same key from every tenant.
A free device never waits for company: it takes what is there.
"""

from collections import Counter, OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Generic, NamedTuple, TypeVar

from services.engine.admission import Load, PassLimits, QueueLimits, Refusal
from services.engine.batching import Batch, BatchKey, Lane, Ticket, input_numbers, lane_of
from services.engine.pass_times import PassTimes
from services.engine.tenants import Tenant, Tenants
from services.ids import ANONYMOUS

T = TypeVar("T")


class _Queue(NamedTuple, Generic[T]):
    """The calls of one tenant and one key, in the order they came."""

    tenant: Tenant
    tickets: OrderedDict[Hashable, Ticket[T]]


@dataclass(slots=True, eq=False)
class _Line(Generic[T]):
    """The calls of one key, by principal; each is estimated to be worth `price` seconds of the device."""

    price: float
    queues: dict[str, _Queue[T]] = field(default_factory=dict)


class _Running(NamedTuple, Generic[T]):
    batch: Batch[T]
    begun: float
    expected: float


class Scheduler(Generic[T]):
    """The queue of one device. Times are monotonic seconds, handed in. Not safe for several threads."""

    def __init__(
        self,
        queue: QueueLimits,
        passes: PassLimits,
        times: PassTimes | None = None,
        *,
        patience: int = 8,
        head_start: float = 0.05,
    ) -> None:
        """A lane is passed over `patience` times in a row by those ahead of it, as long as its tenants have had no
        more of the device than theirs; and not at all by tenants who have had `head_start` seconds more."""
        self._limits = queue
        self._passes = passes
        self._times = times or PassTimes()
        self._patience = patience
        self._head_start = head_start
        self._tickets: OrderedDict[Hashable, Ticket[T]] = OrderedDict()  # all that wait, as they came
        self._lines: dict[BatchKey, _Line[T]] = {}
        self._tenants = Tenants()
        self._load = Load()
        self._passed_over = [0] * len(Lane)
        self._running: _Running[T] | None = None

    def __len__(self) -> int:
        """How many calls wait; those in the pass under way do not."""
        return len(self._tickets)

    @property
    def seconds(self) -> float:
        """The device time that the waiting calls are estimated to need."""
        return self._load.seconds

    @property
    def expected(self) -> float:
        """Seconds that the pass under way is estimated to take."""
        return 0.0 if self._running is None else self._running.expected

    def offer(self, ticket: Ticket[T], now: float) -> Refusal | None:
        """Let a call wait, or say why it may not. Raises ValueError where a call of that name waits already."""
        if ticket.name in self._tickets:
            raise ValueError(f"two calls named {ticket.name!r}")
        key, principal = ticket.key, ticket.call.principal
        line = self._lines.get(key)
        price = self._times.of_call(key) if line is None else line.price
        tenant = self._tenants.of(principal)
        reason = self._limits.verdict(self._load, tenant.load, price, shared=principal != ANONYMOUS)
        if reason is not None:
            return Refusal(reason, self.delay(now, tenant.load if reason == "share" else None))
        if line is None:
            line = self._lines[key] = _Line(price)
        queue = line.queues.get(principal)
        if queue is None:
            queue = line.queues[principal] = _Queue(tenant, OrderedDict())
            tenant.turns[lane_of(key)][key] = None
        self._tickets[ticket.name] = queue.tickets[ticket.name] = ticket
        self._load.add(1, price)
        self._tenants.wait(tenant, 1, price)
        return None

    def cancel(self, name: Hashable) -> Ticket[T] | None:
        """Take out a call that nobody waits for any more; None where it does not wait (any longer)."""
        ticket = self._tickets.get(name)
        if ticket is not None:
            self._remove(ticket)
        return ticket

    def expire(self, now: float) -> list[Ticket[T]]:
        """Take out the calls whose deadline has passed. Deadlines must rise in the order of arrival."""
        late = []
        for ticket in self._tickets.values():
            if ticket.deadline > now:
                break
            late.append(ticket)
        for ticket in late:
            self._remove(ticket)
        return late

    def drain(self) -> list[Ticket[T]]:
        """Take out everything, in the order it came."""
        tickets = list(self._tickets.values())
        for ticket in tickets:
            self._remove(ticket)
        return tickets

    def next_batch(self, now: float) -> Batch[T] | None:
        """Take the calls of the next pass, which begins now; None where nothing waits."""
        first = self._first()
        if first is None:
            return None
        lane, tenant = first
        key = next(iter(tenant.turns[lane]))
        batch = Batch(key, self._fill(key, tenant))
        expected = self._times.of_pass(key, len(batch.tickets))
        self._running = _Running(batch, now, expected)
        return batch

    def finished(self, seconds: float) -> None:
        """The pass under way took so long: its tenants have had that, and the next ones may be estimated better."""
        assert self._running is not None
        batch = self._running.batch
        self._running = None
        self._tenants.charge(Counter(ticket.call.principal for ticket in batch.tickets), seconds)
        self._times.measured(batch.key, len(batch.tickets), seconds)
        line = self._lines.get(batch.key)
        if line is not None:
            self._reprice(line, self._times.of_call(batch.key))

    def delay(self, now: float, own: Load | None = None) -> float:
        """Estimated seconds until what waits is done; or until `own` is, in an even share of the device."""
        seconds = self._load.seconds
        if own is not None:
            seconds = min(seconds, own.seconds * self._tenants.waiting)
        if self._running is not None:
            seconds += max(0.0, self._running.begun + self._running.expected - now)
        return seconds

    def _first(self) -> tuple[Lane, Tenant] | None:
        """Whose turn it is, and in which lane."""
        found = [(lane, tenant) for lane in Lane if (tenant := self._tenants.next_in(lane)) is not None]
        if not found:
            return None
        chosen = found[0]
        for lane, tenant in found[1:]:
            ahead = chosen[1].received - tenant.received
            waited = self._passed_over[lane] >= self._patience
            if ahead > self._head_start or (waited and ahead >= 0.0):
                chosen = (lane, tenant)
                break
        # Only those ahead pass a lane over: else two lanes out of patience would take turns without the first.
        before, self._passed_over = self._passed_over, [0] * len(Lane)
        for lane, _ in found:
            if lane != chosen[0]:
                self._passed_over[lane] = before[lane] + (lane > chosen[0])
        return chosen

    def _fill(self, key: BatchKey, first: Tenant) -> list[Ticket[T]]:
        """Take calls of one key from the tenants that received least, beginning with `first`."""
        line = self._lines[key]
        most = min(self._passes.calls, self._times.most_calls(key, self._passes.seconds))
        tickets: list[Ticket[T]] = []
        numbers = 0
        # Equal tenants take turns: what they are given in this pass counts, be it estimated at nothing.
        order: list[tuple[float, int, int, str]] = []
        for principal, (tenant, _) in line.queues.items():
            order.append((tenant.received, 0, tenant.served, principal))
        turn = (first.received, 0, first.served, first.principal)
        order.remove(turn)
        heapify(order)
        taken: Counter[str] = Counter()
        while True:
            received, count, served, principal = turn
            waiting = line.queues[principal].tickets
            name, ticket = next(iter(waiting.items()))
            numbers += input_numbers(ticket.call)
            if tickets and numbers > self._passes.numbers:
                break
            tickets.append(ticket)
            taken[principal] += 1
            del waiting[name], self._tickets[name]
            if waiting:
                heappush(order, (received + line.price, count + 1, served, principal))
            if not order or len(tickets) == most:
                break
            turn = heappop(order)
        for principal, count in taken.items():
            queue = line.queues[principal]
            self._left(key, line, queue, count)
            if queue.tickets:
                queue.tenant.turns[lane_of(key)].move_to_end(key)
        return tickets

    def _remove(self, ticket: Ticket[T]) -> None:
        line = self._lines[ticket.key]
        queue = line.queues[ticket.call.principal]
        del self._tickets[ticket.name], queue.tickets[ticket.name]
        self._left(ticket.key, line, queue, 1)

    def _left(self, key: BatchKey, line: _Line[T], queue: _Queue[T], calls: int) -> None:
        """So many calls were taken out of a queue: what else is kept of it follows."""
        tenant = queue.tenant
        self._load.add(-calls, -calls * line.price)
        self._tenants.wait(tenant, -calls, -calls * line.price)
        if not queue.tickets:
            del line.queues[tenant.principal], tenant.turns[lane_of(key)][key]
            if not line.queues:
                del self._lines[key]

    def _reprice(self, line: _Line[T], price: float) -> None:
        more = price - line.price
        line.price = price
        for tenant, tickets in line.queues.values():
            self._tenants.wait(tenant, 0, more * len(tickets))
            self._load.add(0, more * len(tickets))
