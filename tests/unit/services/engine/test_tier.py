"""One kind of memory: bounded between passes, the least recently used leave first, equal ones are held once."""

import hashlib

import torch

from services.engine.layout import layout_of
from services.engine.tier import Tier

CPU = torch.device("cpu")
NARROW, WIDE = layout_of((("a", (4,)),)), layout_of((("a", (8,)),))


def _digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _row(value: float, width: int = 4) -> torch.Tensor:
    return torch.full((1, width), float(value))


def _tier(budget: int) -> Tier:
    tier = Tier("host", CPU, budget)
    for number in range(4):
        tier.put(NARROW, [_digest(number)], _row(number))
    return tier


def _held(tier: Tier) -> set[int]:
    return {number for number in range(10) if bytes.fromhex(_digest(number)) in tier._entries}


def test_the_least_recently_used_leave_and_only_between_passes() -> None:
    tier = _tier(budget=2 * 16)
    assert tier.find(_digest(0)) is not None
    assert _held(tier) == {0, 1, 2, 3}
    tier.trim()
    assert _held(tier) == {3, 0}


def test_a_place_that_was_left_is_taken_again() -> None:
    tier = _tier(budget=4 * 16)
    for number in range(4, 10):
        tier.put(NARROW, [_digest(number)], _row(number))
        tier.trim()
        found = tier.find(_digest(number))
        assert found is not None
        assert found.place < 5
        assert tier.rows(NARROW, [found.place])[0, 0] == number
    assert len(tier) == 4


def test_equal_ones_are_held_once() -> None:
    tier = _tier(budget=1 << 20)
    tier.put(NARROW, [_digest(7), _digest(2), _digest(7)], torch.full((3, 4), 7.0))
    assert len(tier) == 5
    for number in (2, 7):
        found = tier.find(_digest(number))
        assert found is not None
        assert tier.rows(NARROW, [found.place])[0, 0] == number


def test_layouts_share_the_budget() -> None:
    tier = _tier(budget=3 * 16)
    tier.put(WIDE, [_digest(8)], _row(8, 8))
    tier.trim()
    assert _held(tier) == {3, 8}
    found = tier.find(_digest(8))
    assert found is not None
    assert found.layout is WIDE


def test_nothing_stays_without_a_budget() -> None:
    tier = _tier(budget=0)
    tier.trim()
    assert len(tier) == 0
