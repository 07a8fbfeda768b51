"""The service's errors and the engine's faults, each turned into the other. Knows no transport."""

from typing import TypeVar

from services.engine.admission import Refusal
from services.engine.messages import EngineFault, Reply
from services.errors import Invalid, NotFound, QuotaExceeded, ServiceError, Unavailable

T = TypeVar("T")


def fault_of(error: ServiceError) -> EngineFault:
    """What crosses the process boundary for an error that a caller is told about."""
    if isinstance(error, NotFound):
        return EngineFault("missing", error.detail)
    if isinstance(error, Unavailable):
        return EngineFault("busy", error.detail, error.retry_after)
    if isinstance(error, QuotaExceeded):
        return EngineFault("quota", error.detail, error.retry_after)
    return EngineFault("invalid", error.detail)


def refused(refusal: Refusal, most_seconds: float) -> EngineFault:
    """What a call is told that found no room; to come back after `most_seconds` at most."""
    retry_after = min(refusal.retry_after, most_seconds)
    if refusal.reason == "share":
        return EngineFault(
            "quota", "this key has its share of the engine's queue waiting already", retry_after
        )
    return EngineFault("busy", "the engine has as much waiting as it takes", retry_after)


def expect(reply: Reply, kind: type[T]) -> T:
    """The reply as what was asked for.

    Raises Invalid, NotFound, QuotaExceeded or Unavailable for a fault, RuntimeError for a defect of the engine.
    """
    if isinstance(reply, kind):
        return reply
    if not isinstance(reply, EngineFault):
        raise RuntimeError(f"the engine answered {type(reply).__name__} where {kind.__name__} was due")
    if reply.code == "invalid":
        raise Invalid.at(reply.pointer, reply.detail) if reply.pointer else Invalid(reply.detail)
    if reply.code == "missing":
        raise NotFound(reply.detail)
    if reply.code == "busy":
        raise Unavailable(reply.detail, reply.retry_after)
    if reply.code == "quota":
        raise QuotaExceeded(reply.detail, reply.retry_after)
    raise RuntimeError(f"the engine failed: {reply.detail}")
