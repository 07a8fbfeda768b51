"""What may share a pass, without an engine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.engine.batching import DeviceCall, Lane, key_of, lane_of, rung
from services.engine.messages import AdaptCall, AdaptPredictCall, Array, InspectCall, PredictCall, Support


def _array(rows: int, columns: int = 2) -> Array:
    return Array.of(np.zeros((rows, columns), np.float32))


def _adapt(artifact: str = "a", rows: int = 4, ways: int = 0, **fields: object) -> AdaptCall:
    return AdaptCall(artifact, Support(_array(rows), _array(rows, 1), n_ways=ways), **fields)


def _predict(artifact: str = "a", rows: int = 1) -> PredictCall:
    return PredictCall(artifact, "digest", _array(rows))


@given(st.integers(0, 100_000))
def test_a_rung_holds_its_size_without_doubling_it(size: int) -> None:
    assert size <= rung(size)
    assert rung(size) < 1.5 * size or size <= 2
    assert rung(rung(size)) == rung(size)
    assert rung(size) <= rung(size + 1)


@pytest.mark.parametrize(
    "other",
    [
        _adapt("b"),
        _adapt(rows=5),
        _adapt(ways=3),
        _adapt(options={"inner_steps": 2}),
        _adapt(start="digest"),
        AdaptPredictCall("a", Support(_array(4), _array(4, 1)), _array(1)),
    ],
)
def test_what_may_not_share_a_pass(other: DeviceCall) -> None:
    assert key_of(_adapt()) != key_of(other)


def test_near_sizes_and_equal_options_share_a_pass() -> None:
    one = _adapt(rows=13, ways=5, options={"inner_lr": 0.1, "inner_steps": 2})
    two = _adapt(rows=16, ways=6, options={"inner_steps": 2, "inner_lr": 0.1})
    assert key_of(one) == key_of(two)


def test_tenants_share_a_pass() -> None:
    assert key_of(_adapt(principal="one")) == key_of(_adapt(principal="other"))


@pytest.mark.parametrize(
    ("call", "lane"),
    [
        (_predict(), Lane.PREDICT),
        (_adapt(), Lane.ADAPT),
        (AdaptPredictCall("a", Support(_array(4), _array(4, 1)), _array(1)), Lane.ADAPT),
        (InspectCall("a"), Lane.BACKGROUND),
    ],
)
def test_every_call_has_its_lane(call: DeviceCall, lane: Lane) -> None:
    assert lane_of(key_of(call)) is lane
