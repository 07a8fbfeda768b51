"""Estimates of device time: what is learned from measured passes, and what is said before there are any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.engine.batching import BatchKey
from services.engine.messages import AdaptCall
from services.engine.pass_times import PassTimes

KEY = BatchKey(AdaptCall, "a")

sizes = st.permutations([1, 8, 32, 64] * 6)


def _learned(passes: list[tuple[int, float]], guess: float = 10.0) -> PassTimes:
    times = PassTimes(guess)
    for calls, seconds in passes:
        times.measured(KEY, calls, seconds)
    return times


@given(st.floats(0.01, 1.0), st.integers(1, 1000))
def test_a_key_that_was_never_measured_is_guessed(guess: float, calls: int) -> None:
    times = PassTimes(guess)
    assert times.of_pass(KEY, calls) == pytest.approx(guess * calls)
    assert times.of_call(KEY) == guess


@given(sizes, st.floats(0.0, 0.1), st.floats(1e-4, 0.01))
def test_what_a_pass_and_what_a_call_costs_is_told_apart(sizes: list[int], start: float, each: float) -> None:
    times = _learned([(size, start + each * size) for size in sizes])
    assert times.of_pass(KEY, 0) == pytest.approx(start, abs=0.1 * (start + 64 * each))
    assert times.of_pass(KEY, 32) == pytest.approx(start + 32 * each, rel=0.1)


@given(
    st.lists(st.tuples(st.integers(1, 64), st.floats(0.0, 5.0)), min_size=1, max_size=30), st.integers(1, 99)
)
def test_a_larger_pass_is_never_estimated_shorter_and_never_at_less_than_nothing(
    passes: list[tuple[int, float]], calls: int
) -> None:
    times = _learned(passes)
    assert -1e-9 <= times.of_pass(KEY, 0) <= times.of_pass(KEY, calls) + 1e-9
    assert times.of_pass(KEY, calls) <= times.of_pass(KEY, calls + 1) + 1e-9
    assert times.of_call(KEY) >= 0.0


@given(st.lists(st.tuples(st.integers(1, 64), st.floats(0.0, 5.0)), max_size=30), st.floats(0.001, 1.0))
def test_a_pass_of_the_most_calls_takes_its_time_or_twice_its_start(
    passes: list[tuple[int, float]], seconds: float
) -> None:
    times = _learned(passes)
    most = times.most_calls(KEY, seconds)
    assert most >= 1
    start = times.of_pass(KEY, 0)
    assert most == 1 or times.of_pass(KEY, most) <= max(seconds, 2 * start) * (1 + 1e-6) + 1e-6


def test_the_first_pass_that_loads_the_model_is_forgotten() -> None:
    times = _learned([(1, 30.0), (1, 0.002)])
    assert times.of_pass(KEY, 1) == pytest.approx(0.002)


def test_one_slow_pass_among_many_counts_for_little() -> None:
    times = _learned([(1, 0.002)] * 10 + [(1, 30.0)])
    assert times.of_pass(KEY, 1) < 0.004


def test_a_lasting_change_is_learned() -> None:
    times = _learned([(1, 0.002)] * 10 + [(1, 0.2)] * 30)
    assert times.of_pass(KEY, 1) == pytest.approx(0.2, rel=0.05)


def test_the_keys_measured_last_are_remembered() -> None:
    times = PassTimes(guess=1.0, most_keys=3)
    keys = [KEY._replace(artifact=name) for name in "abcd"]
    for key in (keys[0], keys[1], keys[2], keys[0], keys[3]):
        times.measured(key, 1, 0.5)
    assert [times.of_call(key) for key in keys] == [0.5, 1.0, 0.5, 0.5]
