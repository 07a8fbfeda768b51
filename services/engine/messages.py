"""What crosses into the engine and back: calls, replies, faults. Plain values; no HTTP, no torch, no transport.

Arrays travel as `Array` (datatype, shape, little-endian bytes), which encodes without copying element by
element and decodes to a view of the received buffer.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar, Literal, get_args

import msgspec
import numpy as np

from services.engine.held_out import EscalationReply
from services.ids import ANONYMOUS

NumberDatatype = Literal["float32", "int64", "uint8"]
ArrayDatatype = NumberDatatype | Literal["text"]
_DATATYPES: dict[np.dtype[Any], NumberDatatype] = {np.dtype(name): name for name in get_args(NumberDatatype)}


class Array(msgspec.Struct, frozen=True):
    """A dense row-major little-endian tensor; texts [E] are each a uint32 of bytes and so many of UTF-8."""

    datatype: ArrayDatatype
    shape: tuple[int, ...]
    data: memoryview

    @classmethod
    def of(cls, array: np.ndarray[Any, Any]) -> "Array":
        """Wrap a float32, int64 or uint8 array; anything else is a defect of the caller (ValueError)."""
        datatype = _DATATYPES.get(array.dtype)
        if datatype is None:
            raise ValueError(f"{array.dtype} does not cross into the engine")
        # `cast` cannot flatten an empty view.
        data = np.ascontiguousarray(array).data if array.size else memoryview(b"")
        return cls(datatype, array.shape, data.cast("B"))

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> "Array":
        """Wrap texts."""
        encoded = [text.encode() for text in texts]
        parts = (part for one in encoded for part in (len(one).to_bytes(4, "little"), one))
        return cls("text", (len(encoded),), memoryview(b"".join(parts)))

    def texts(self) -> list[str]:
        """What `of_texts` was given. Raises ValueError where the bytes are not such texts."""
        data, found, start = self.data, [], 0
        while start < len(data):
            stop = start + 4 + int.from_bytes(data[start : start + 4], "little")
            if start + 4 > len(data) or stop > len(data):
                raise ValueError("a text runs past the end")
            found.append(str(data[start + 4 : stop], "utf-8"))
            start = stop
        if len(found) != self.numbers:
            raise ValueError(f"{len(found)} texts, not {self.numbers}")
        return found

    @property
    def numbers(self) -> int:
        """How many elements it has."""
        return prod(self.shape)

    def numpy(self) -> np.ndarray[Any, Any]:
        """A read-only view of the bytes, unaligned perhaps: copy before handing it to torch."""
        return np.frombuffer(self.data, dtype=self.datatype).reshape(self.shape)


class Support(msgspec.Struct, frozen=True, tag="examples"):
    """A support set. Inputs float32 [S, *signature], or texts; images [S, H, W, C] in 0..1, channels last.

    Targets float32 [S, T] for regression, int64 [S] class slots in 0..n_ways-1 for classification. S may be 0
    for regression: the answer is then the base model's own, before any adaptation.

    With the signature's `class_names` the first n_ways rows are the classes' names, in order; "" for one without.
    """

    inputs: Array
    targets: Array
    n_ways: int = 0

    steps: ClassVar[int] = 0

    @property
    def size(self) -> int:
        """S."""
        return self.inputs.shape[0] if self.inputs.shape else 0

    @property
    def example_numbers(self) -> int:
        """How many input numbers each example has."""
        return prod(self.inputs.shape[1:])


class TrajectorySupport(msgspec.Struct, frozen=True, tag="trajectories"):
    """What a policy is adapted from: R trajectories, their E steps one after the other.

    `lengths` int64 [R] says how many steps each has; observations float32 [E, D]; actions float32 [E, A] (box) or
    int64 [E] (discrete); rewards float32 [E]; `log_probs` float32 [E] of the actions as they were sampled, where
    `known` float32 [R] is 1, else 0; `terminated` float32 [R]. R may be 0: the policy is left as it is.
    """

    lengths: Array
    observations: Array
    actions: Array
    rewards: Array
    log_probs: Array
    known: Array
    terminated: Array

    n_ways: ClassVar[int] = 0

    @property
    def size(self) -> int:
        """R."""
        return self.lengths.shape[0]

    @property
    def steps(self) -> int:
        """L, of the longest trajectory."""
        return int(self.lengths.numpy().max()) if self.size else 0

    @property
    def example_numbers(self) -> int:
        """How many numbers each step has: observation, action, reward, log-probability, mask."""
        return prod(self.observations.shape[1:]) + prod(self.actions.shape[1:]) + 3


AnySupport = Support | TrajectorySupport


class AdaptCall(msgspec.Struct, frozen=True, tag="adapt"):
    """Adapt the version whose artifact is named, to a support set.

    `options` were checked against the algorithm. `start` is the digest of adapted parameters to go on from.
    `principal`, here and below, is whose call it is: the tenants of the engine share it evenly.
    """

    artifact: str
    support: AnySupport
    options: dict[str, Any] = {}
    start: str | None = None
    principal: str = ANONYMOUS


class AdaptReply(msgspec.Struct, frozen=True, tag="adapted"):
    """Adapted parameters as safetensors bytes, named by their sha256; the engine keeps them resident.

    They are not durable yet: whoever called stores them before telling anybody. `clipped` is the share of a
    policy's steps whose importance ratio was cut: their actions come from a rather different policy. `escalation`
    is None where none was asked for, or the support set is none for it.
    """

    digest: str
    params: memoryview
    support_loss: float
    clipped: float = 0.0
    escalation: EscalationReply | None = None


class PredictCall(msgspec.Struct, frozen=True, tag="predict"):
    """Query an adapted model, float32 [Q, *signature]; the engine reads it from storage if not resident."""

    artifact: str
    digest: str
    inputs: Array
    principal: str = ANONYMOUS


class AdaptPredictCall(msgspec.Struct, frozen=True, tag="adapt_predict"):
    """Adapt and query in one pass; nothing is kept. `start` as in `AdaptCall`."""

    artifact: str
    support: AnySupport
    inputs: Array
    options: dict[str, Any] = {}
    start: str | None = None
    principal: str = ANONYMOUS


class PredictReply(msgspec.Struct, frozen=True, tag="predicted"):
    """Regression: `mean` float32 [Q, T] and `std` the same shape where known.

    Classification: `probabilities` float32 [Q, N], N the adaptation's classes in slot order. A policy: what its
    actions are drawn from, `mean` and `std` float32 [Q, A] of a box, `probabilities` [Q, n] of n discrete ones.
    `escalation` as in `AdaptReply`, where the call adapted too.
    """

    mean: Array | None = None
    std: Array | None = None
    probabilities: Array | None = None
    escalation: EscalationReply | None = None


class InspectCall(msgspec.Struct, frozen=True, tag="inspect"):
    """Can this artifact be rebuilt and adapted? Asked once, when a version is imported."""

    artifact: str
    principal: str = ANONYMOUS


class CancelCall(msgspec.Struct, frozen=True, tag="cancel"):
    """Nobody waits any more for the reply to the call that had this message's number. Is not answered."""


class PingCall(msgspec.Struct, frozen=True, tag="ping"):
    """Is the engine there?"""


class MetricsCall(msgspec.Struct, frozen=True, tag="metrics"):
    """How is the engine doing?"""


class MetricsReply(msgspec.Struct, frozen=True, tag="counted"):
    """The engine process's own metrics, as Prometheus reads them."""

    text: bytes


class EngineStatus(msgspec.Struct, frozen=True, tag="status"):
    """The engine's own account of itself; also the answer to a successful inspection.

    `queued` calls wait; `busy_seconds` is how long the device pass under way has lasted.
    """

    device: str
    pid: int
    resident_models: int
    resident_adapted_models: int
    queued: int = 0
    busy_seconds: float = 0.0


FaultCode = Literal["invalid", "missing", "internal", "busy", "quota"]


class EngineFault(msgspec.Struct, frozen=True, tag="fault"):
    """A call that failed. `invalid`: the input; `missing`: an artifact or adapted parameters that storage does
    not have; `busy`: the queue is full; `quota`: the caller has its share of the queue already; `internal`: a
    defect, with `detail` for the log. `retry_after` (seconds) is for `busy` and `quota`; `pointer` says where in a
    request it is, where the kind of call does not."""

    code: FaultCode
    detail: str
    retry_after: float = 1.0
    pointer: str = ""


Call = AdaptCall | PredictCall | AdaptPredictCall | InspectCall | PingCall | MetricsCall
Reply = AdaptReply | PredictReply | EngineStatus | MetricsReply | EngineFault
