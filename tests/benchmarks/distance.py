"""How far two answers are from one another. Pure; knows JSON and which of its members may differ."""

from typing import Any

APART = float("inf")
"""Of answers that are not to the same question."""

_OWN = frozenset({"id", "adaptation", "created_at", "label"})
"""What two answers to one request may tell differently: names, moments, and the larger of two equal numbers."""


def distance(one: Any, other: Any) -> float:
    """The largest difference of any number, relative where that exceeds 1; `APART` where anything else differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return APART
        return max((distance(one[name], other[name]) for name in one if name not in _OWN), default=0.0)
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return APART
        return max(map(distance, one, other), default=0.0)
    if _is_number(one) and _is_number(other):
        return abs(one - other) / max(1.0, abs(one))
    return 0.0 if one == other and type(one) is type(other) else APART


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
