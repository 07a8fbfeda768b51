"""What pydantic says about a body, in the service's words: JSON Pointers and plain sentences."""

from collections.abc import Sequence

import pydantic

from services.errors import Fault, Invalid

_MAX_FAULTS = 20


def faults_of(error: pydantic.ValidationError, prefix: str = "") -> tuple[Fault, ...]:
    """Every fault (the first twenty) of a value that stands at `prefix` in the request's body."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return tuple(Fault(prefix + pointer_of(entry["loc"]), entry["msg"]) for entry in found[:_MAX_FAULTS])


def pointer_of(places: Sequence[str | int]) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + str(place).replace("~", "~0").replace("/", "~1") for place in places)


def invalid_of(error: pydantic.ValidationError) -> Invalid:
    """The error for a whole body."""
    faults = faults_of(error)
    first = f"{faults[0].pointer or 'the body'}: {faults[0].detail}"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Invalid(first + more, faults)
