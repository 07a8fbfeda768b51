"""Depth is counted in objects and lists, and never by recursion."""

from typing import Any

import pytest

from services.storage.free_form import MAX_DEPTH, is_too_deep


def nested(depth: int, kind: type) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value, "b": 2}
    return value


@pytest.mark.parametrize("kind", [list, dict])
def test_so_deep_and_no_deeper(kind: type) -> None:
    assert not is_too_deep(nested(MAX_DEPTH, kind))
    assert is_too_deep(nested(MAX_DEPTH + 1, kind))
    assert is_too_deep({"flat": 1, "deep": nested(100_000, kind)})


@pytest.mark.parametrize("value", [{}, [], 1, "text", None, {"a": []}, {"a": [1, {}], "b": "c"}])
def test_what_is_flat_is_not_deep(value: Any) -> None:
    assert not is_too_deep(value)
