"""Free-form JSON that is kept and answered again: it may hold no number that JSON cannot say."""

from math import isfinite
from typing import Any

from services.errors import Invalid


def refuse_infinities(value: dict[str, Any], pointer: str) -> None:
    """Raise Invalid at `pointer` where a number overflowed: 1e999 is JSON, and reads as infinity."""
    level: list[Any] = [value]
    while level:
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, float) and not isfinite(one):
                raise Invalid.at(pointer, "a number is not finite")
        level = below
