"""Which calls may share one device pass. Pure: no torch, no clock, no thread, no order (that is the scheduler's).

Calls share a pass when they have the same `BatchKey`: the same model, the same kind of work, the same options,
and sizes on the same rungs of a ladder, so that padding never doubles the work of any of them.
"""

from collections.abc import Hashable
from enum import IntEnum
from math import prod
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from services.engine.messages import AdaptCall, AdaptPredictCall, Array, InspectCall, PredictCall


class Sliced(msgspec.Struct, frozen=True):
    """A call whose work is done a slice at a time, each a pass of its own that others may go before.

    `work` is the executor's: how far it is.
    """

    call: AdaptCall | AdaptPredictCall
    work: Any

    @property
    def artifact(self) -> str:
        return self.call.artifact

    @property
    def principal(self) -> str:
        return self.call.principal


DeviceCall = AdaptCall | AdaptPredictCall | PredictCall | InspectCall | Sliced
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
    """What calls must have in common. Sizes are rungs (`steps`: of trajectories); `options` is canonical JSON."""

    kind: type[AdaptCall | AdaptPredictCall | PredictCall | InspectCall]
    artifact: str
    options: bytes = b""
    support: int = 0
    steps: int = 0
    ways: int = 0
    queries: int = 0
    goes_on: bool = False  # adapts from earlier adapted parameters
    sliced: bool = False  # a slice of a longer work


def key_of(call: DeviceCall) -> BatchKey:
    """The key of a call, from the sizes it declares. Whose call it is does not matter: tenants share passes."""
    match call:
        case PredictCall():
            return BatchKey(PredictCall, call.artifact, queries=rung(_rows(call.inputs)))
        case InspectCall():
            return BatchKey(InspectCall, call.artifact)
        case Sliced():
            return key_of(call.call)._replace(sliced=True)
    key = BatchKey(
        type(call),
        call.artifact,
        options=_options.encode(call.options),
        support=rung(call.support.size),
        steps=rung(call.support.steps),
        ways=rung(call.support.n_ways),
        goes_on=call.start is not None,
    )
    return key._replace(queries=rung(_rows(call.inputs))) if isinstance(call, AdaptPredictCall) else key


def input_numbers(call: DeviceCall) -> int:
    """How many input numbers a call brings to a pass, padding included."""
    if isinstance(call, PredictCall):
        return _padded(call.inputs)
    if isinstance(call, InspectCall):
        return 0
    if isinstance(call, Sliced):
        return input_numbers(call.call)
    given = call.support
    support = rung(given.size) * max(1, rung(given.steps)) * given.example_numbers
    return support + _padded(call.inputs) if isinstance(call, AdaptPredictCall) else support


def _rows(array: Array) -> int:
    return array.shape[0] if array.shape else 0


def _padded(array: Array) -> int:
    return rung(_rows(array)) * prod(array.shape[1:])


class Lane(IntEnum):
    """What goes first where nothing else decides: somebody waits on a prediction, and it is short."""

    PREDICT = 0
    ADAPT = 1
    BACKGROUND = 2


def lane_of(key: BatchKey) -> Lane:
    if key.kind is PredictCall:
        return Lane.PREDICT
    return Lane.BACKGROUND if key.kind is InspectCall or key.sliced else Lane.ADAPT


class Ticket(NamedTuple, Generic[T]):
    """A waiting call. `name` tells it from every other that waits; `token` is the caller's own.

    It came at `arrived`; after `deadline` nobody waits for a reply (both monotonic seconds).
    """

    name: Hashable
    call: DeviceCall
    key: BatchKey
    token: T
    arrived: float
    deadline: float


class Batch(NamedTuple, Generic[T]):
    """Calls for one device pass; those of one principal in the order they came."""

    key: BatchKey
    tickets: list[Ticket[T]]
