"""Who is let into the queue: bounds on the whole, and shares that follow what is free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.engine.admission import Load, QueueLimits

LIMITS = QueueLimits(calls=100, seconds=10.0, share=0.5)
NOTHING = Load(0, 0.0)


def _filled(limits: QueueLimits, tenants: int, seconds: float) -> tuple[list[int], list[str | None]]:
    """Every tenant sends until all are refused; how many calls each has waiting then, and why it was refused."""
    own, reasons = [0] * tenants, [None] * tenants
    while None in reasons:
        for tenant in range(tenants):
            total = sum(own)
            verdict = limits.verdict(
                Load(total, total * seconds), Load(own[tenant], own[tenant] * seconds), seconds, shared=True
            )
            reasons[tenant] = verdict
            own[tenant] += verdict is None
    return own, reasons


@pytest.mark.parametrize(("tenants", "each"), [(1, 50), (2, 33), (3, 25), (9, 10)])
def test_tenants_that_flood_fill_even_shares_and_leave_as_much_free(tenants: int, each: int) -> None:
    own, reasons = _filled(LIMITS, tenants, seconds=0.0)
    assert all(abs(calls - each) <= 1 for calls in own)
    assert reasons == ["share"] * tenants


def test_seconds_bound_as_calls_do() -> None:
    own, reasons = _filled(LIMITS, 1, seconds=0.5)
    assert (own, reasons) == ([10], ["share"])


@given(st.integers(2, 60), st.floats(0.05, 1.0), st.floats(0.0, 0.5))
def test_a_newcomer_finds_room_whatever_one_other_does(calls: int, share: float, seconds: float) -> None:
    limits = QueueLimits(calls, 10.0, share)
    (held,), (reason,) = _filled(limits, 1, seconds)
    if reason == "share":
        assert limits.verdict(Load(held, held * seconds), NOTHING, min(seconds, 0.1), shared=True) is None


def test_whoever_has_nothing_waiting_is_refused_only_by_a_full_queue() -> None:
    assert LIMITS.verdict(Load(99, 9.0), NOTHING, 0.5, shared=True) is None
    assert LIMITS.verdict(Load(100, 9.0), NOTHING, 0.5, shared=True) == "full"
    assert LIMITS.verdict(Load(9, 9.8), NOTHING, 0.5, shared=True) == "full"


def test_a_call_longer_than_the_queue_is_taken_when_nothing_waits() -> None:
    assert LIMITS.verdict(NOTHING, NOTHING, 1000.0, shared=True) is None
    assert LIMITS.verdict(Load(1, 0.1), NOTHING, 1000.0, shared=True) == "full"


@pytest.mark.parametrize(("share", "shared"), [(0.5, False), (1.0, True)])
def test_one_tenant_may_fill_the_queue_where_there_are_no_shares(share: float, shared: bool) -> None:
    limits = LIMITS._replace(share=share)
    assert limits.verdict(Load(99, 9.0), Load(99, 9.0), 0.5, shared=shared) is None
    assert limits.verdict(Load(100, 9.0), Load(100, 9.0), 0.5, shared=shared) == "full"
