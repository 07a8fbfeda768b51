"""Which waiting calls share one device pass, and which pass comes next. Pure policy: no torch, no clock, no thread.

Calls share a pass when they have the same `BatchKey`: the same model, the same kind of work, the same options,
and sizes on the same rungs of a ladder, so that padding never doubles the work of any of them.
"""

from collections import OrderedDict, deque
from math import prod
from typing import Generic, NamedTuple, TypeVar

import msgspec

from services.engine.messages import AdaptCall, AdaptPredictCall, Array, InspectCall, PredictCall

DeviceCall = AdaptCall | AdaptPredictCall | PredictCall | InspectCall
T = TypeVar("T")

_options = msgspec.json.Encoder(order="deterministic")


def rung(size: int) -> int:
    """The smallest of 1, 2, 3, 4, 6, 8, 12, 16, 24, ... that `size` fits in; 0 stays 0."""
    if size <= 2:
        return size
    power = 1 << (size - 1).bit_length()
    three_quarters = 3 * power // 4
    return three_quarters if size <= three_quarters else power


class BatchKey(NamedTuple):
    """What calls must have in common. `support`, `ways` and `queries` are rungs; `options` is canonical JSON."""

    kind: type[DeviceCall]
    artifact: str
    options: bytes = b""
    support: int = 0
    ways: int = 0
    queries: int = 0
    goes_on: bool = False  # adapts from earlier adapted parameters


def key_of(call: DeviceCall) -> BatchKey:
    """The key of a call, from the sizes it declares."""
    match call:
        case PredictCall():
            return BatchKey(PredictCall, call.artifact, queries=rung(_rows(call.inputs)))
        case InspectCall():
            return BatchKey(InspectCall, call.artifact)
    key = BatchKey(
        type(call),
        call.artifact,
        options=_options.encode(call.options),
        support=rung(_rows(call.support.inputs)),
        ways=rung(call.support.n_ways),
        goes_on=call.start is not None,
    )
    return key._replace(queries=rung(_rows(call.inputs))) if isinstance(call, AdaptPredictCall) else key


def input_numbers(call: DeviceCall) -> int:
    """How many input numbers a call brings to a pass, padding included."""
    total = 0
    if isinstance(call, AdaptCall | AdaptPredictCall):
        total += _padded(call.support.inputs)
    if isinstance(call, PredictCall | AdaptPredictCall):
        total += _padded(call.inputs)
    return total


def _rows(array: Array) -> int:
    return array.shape[0] if array.shape else 0


def _padded(array: Array) -> int:
    return rung(_rows(array)) * prod(array.shape[1:])


class Ticket(NamedTuple, Generic[T]):
    """A waiting call; `token` is the caller's. After `deadline` (monotonic seconds) nobody waits for a reply."""

    call: DeviceCall
    token: T
    deadline: float


class Batch(NamedTuple, Generic[T]):
    """Calls for one device pass, in the order they came."""

    key: BatchKey
    tickets: list[Ticket[T]]


class WaitingCalls(Generic[T]):
    """The calls that wait, by key. Not safe for several threads.

    Predictions go first, for somebody waits on each and they are short; but adaptations are passed over at most
    `patience` times in a row. Within each lane the keys take turns.
    """

    def __init__(self, *, max_batch: int, max_numbers: int, patience: int = 8) -> None:
        self.max_batch = max_batch
        self.max_numbers = max_numbers
        self.patience = patience
        self._predictions: OrderedDict[BatchKey, deque[Ticket[T]]] = OrderedDict()
        self._others: OrderedDict[BatchKey, deque[Ticket[T]]] = OrderedDict()
        self._passed_over = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ticket: Ticket[T]) -> None:
        lane = self._predictions if isinstance(ticket.call, PredictCall) else self._others
        lane.setdefault(key_of(ticket.call), deque()).append(ticket)
        self._count += 1

    def next_batch(self) -> Batch[T] | None:
        """Take the calls of the next pass; None when nothing waits.

        At most `max_batch` of them, and several only while their inputs stay within `max_numbers`.
        """
        others_turn = bool(self._others) and (not self._predictions or self._passed_over >= self.patience)
        if others_turn:
            self._passed_over = 0
            return self._take(self._others)
        if self._predictions:
            self._passed_over += bool(self._others)
            return self._take(self._predictions)
        return None

    def _take(self, lane: OrderedDict[BatchKey, deque[Ticket[T]]]) -> Batch[T]:
        key, waiting = next(iter(lane.items()))
        tickets = [waiting.popleft()]
        numbers = input_numbers(tickets[0].call)
        while waiting and len(tickets) < self.max_batch:
            numbers += input_numbers(waiting[0].call)
            if numbers > self.max_numbers:
                break
            tickets.append(waiting.popleft())
        if waiting:
            lane.move_to_end(key)
        else:
            del lane[key]
        self._count -= len(tickets)
        return Batch(key, tickets)
