"""JSON objects that are kept and answered as they came: how deep they may nest. Knows nothing of what they say.

Whoever reads an answer nests at least as deep as it does, and every JSON reader ends somewhere: one object that
is too deep would make the whole list that it stands in unreadable.
"""

from typing import Any

MAX_DEPTH = 32


def is_too_deep(value: Any) -> bool:
    """Whether objects and lists nest more than `MAX_DEPTH` deep, `value` being the first of them."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
