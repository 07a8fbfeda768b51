"""Where in a request's body a configuration is wrong: msgspec's paths turned into JSON Pointers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from services.errors import Fault, Invalid, NotFound

_PLACE = re.compile(r"^(?P<detail>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+|\.\.\.)\]")
_FIELD = re.compile(r"Object (?:contains unknown|missing required) field `(?P<name>[^`]+)`")


def fault_of(error: msgspec.ValidationError, prefix: str = "") -> Fault:
    """The fault that msgspec found, with its pointer below `prefix` (itself a JSON Pointer, or empty)."""
    match = _PLACE.match(str(error))
    detail, path = (match["detail"], match["path"] or "") if match else (str(error), "")
    steps = [step["name"] or step["index"] for step in _STEP.finditer(path)]
    field = _FIELD.match(detail)
    if field:
        steps.append(field["name"])
    return Fault(prefix + pointer(*(step for step in steps if step != "...")), detail)


def pointer(*steps: str | int) -> str:
    """A JSON Pointer (RFC 6901) from its unescaped steps."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


@contextmanager
def as_fault(pointer: str, more: str = "") -> Iterator[None]:
    """What a body names and is not there is a fault of the body; `more` is said behind it."""
    try:
        yield
    except NotFound as error:
        raise Invalid.at(pointer, error.detail + more) from error
