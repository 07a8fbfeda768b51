"""What must hold of a call's options, metadata and time-to-live. Pure."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from models.spec import (
    AlgorithmSpec,
    AutoSpec,
    EncoderSpec,
    InvalidOption,
    LearnerSpec,
    Signature,
    with_options,
)
from models.spec.algorithms.auto import ESCALATED_FROM, ESCALATED_MOST
from services.adaptation.limits import Limits
from services.errors import Invalid
from services.storage.free_form import MAX_DEPTH, is_too_deep


def check_options(algorithm: AlgorithmSpec, options: Mapping[str, Any]) -> AlgorithmSpec:
    """The algorithm with a caller's options. Raises Invalid for one that it does not let a caller set so."""
    try:
        return with_options(algorithm, options)
    except InvalidOption as error:
        raise refused_option(error.option, error.detail) from error


def check_escalation(learner: LearnerSpec, signature: Signature, options: Mapping[str, Any]) -> None:
    """Raises Invalid where a caller wants an encoder tuned to his examples, and there is none that could be."""
    tunable = isinstance(learner.network, EncoderSpec) and signature.is_text and learner.members == 1
    if options.get("escalate", "never") != "never" and not tunable:
        raise refused_option("escalate", "only a pretrained encoder of texts can be tuned to a task")


def unescalated(algorithm: AlgorithmSpec, support: int, ways: int) -> tuple[str, ...]:
    """What to tell whoever wants an encoder tuned to examples that are too few for it, or too many."""
    if not isinstance(algorithm, AutoSpec) or algorithm.escalate == "never":
        return ()
    if algorithm.may_escalate(support, ways):
        return ()
    return (
        f"The encoder was left as it is: it is tuned to {ESCALATED_FROM} examples a class and more, and to "
        f"{ESCALATED_MOST} in all at most.",
    )


def refused_option(name: str, detail: str) -> Invalid:
    """What is wrong with an option that a caller named, at its place."""
    return Invalid.at(f"/options/{name.replace('~', '~0').replace('/', '~1')}", detail)


def check_metadata(metadata: Mapping[str, Any], limits: Limits) -> None:
    """Raises Invalid unless it is JSON within the limits of size and depth."""
    if is_too_deep(metadata):
        raise Invalid.at("/metadata", f"nested more than {MAX_DEPTH} deep")
    try:
        size = len(msgspec.json.encode(metadata))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid.at("/metadata", f"not plain JSON: {error}") from error
    if size > limits.metadata_bytes:
        raise Invalid.at("/metadata", f"{size} bytes as JSON; at most {limits.metadata_bytes} are taken")


def check_ttl(ttl_seconds: float | None, limits: Limits) -> None:
    """Raises Invalid unless it is absent, or a second at least and within the limit."""
    if ttl_seconds is None or 1 <= ttl_seconds <= limits.ttl_seconds:
        return
    least = "at least 1" if math.isfinite(ttl_seconds) else "a finite number"
    raise Invalid.at(
        "/ttl_seconds", f"{least}, and at most {limits.ttl_seconds:g}; null keeps it until deleted"
    )
