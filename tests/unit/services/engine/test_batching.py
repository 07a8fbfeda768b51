"""The batching policy, without an engine: what may share a pass, and who goes first."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.engine.batching import Batch, DeviceCall, Ticket, WaitingCalls, input_numbers, key_of, rung
from services.engine.messages import AdaptCall, AdaptPredictCall, Array, InspectCall, PredictCall, Support


def _array(rows: int, columns: int = 2) -> Array:
    return Array.of(np.zeros((rows, columns), np.float32))


def _adapt(artifact: str = "a", rows: int = 4, ways: int = 0, **fields: object) -> AdaptCall:
    return AdaptCall(artifact, Support(_array(rows), _array(rows, 1), n_ways=ways), **fields)


def _predict(artifact: str = "a", rows: int = 1) -> PredictCall:
    return PredictCall(artifact, "digest", _array(rows))


calls = st.one_of(
    st.builds(_adapt, artifact=st.sampled_from("ab"), rows=st.integers(0, 70), ways=st.integers(0, 20)),
    st.builds(_predict, artifact=st.sampled_from("ab"), rows=st.integers(1, 70)),
    st.builds(InspectCall, artifact=st.sampled_from("ab")),
)


def _waiting(calls: Sequence[DeviceCall], max_batch: int = 8, **limits: int) -> WaitingCalls[int]:
    waiting: WaitingCalls[int] = WaitingCalls(max_batch=max_batch, **{"max_numbers": 1 << 20, **limits})
    for place, call in enumerate(calls):
        waiting.add(Ticket(call, place, deadline=0.0))
    return waiting


def _drained(waiting: WaitingCalls[int]) -> list[Batch[int]]:
    batches = []
    while (batch := waiting.next_batch()) is not None:
        batches.append(batch)
    return batches


@given(st.integers(0, 100_000))
def test_a_rung_holds_its_size_without_doubling_it(size: int) -> None:
    assert size <= rung(size)
    assert rung(size) < 1.5 * size or size <= 2
    assert rung(rung(size)) == rung(size)
    assert rung(size) <= rung(size + 1)


@given(st.lists(calls, max_size=60), st.integers(1, 9), st.integers(1, 500))
def test_every_call_comes_out_once_in_a_batch_of_its_key(
    calls: list[DeviceCall], max_batch: int, max_numbers: int
) -> None:
    waiting = _waiting(calls, max_batch, max_numbers=max_numbers)
    assert len(waiting) == len(calls)
    batches = _drained(waiting)
    assert len(waiting) == 0
    assert sorted(ticket.token for batch in batches for ticket in batch.tickets) == list(range(len(calls)))
    for batch in batches:
        assert {key_of(ticket.call) for ticket in batch.tickets} == {batch.key}
        assert 1 <= len(batch.tickets) <= max_batch
        numbers = sum(input_numbers(ticket.call) for ticket in batch.tickets)
        assert len(batch.tickets) == 1 or numbers <= max_numbers
        assert [ticket.token for ticket in batch.tickets] == sorted(ticket.token for ticket in batch.tickets)


@given(st.lists(calls, max_size=40))
def test_calls_of_one_key_keep_their_order(calls: list[DeviceCall]) -> None:
    seen: dict[object, int] = {}
    for batch in _drained(_waiting(calls, max_batch=3)):
        assert batch.tickets[0].token > seen.get(batch.key, -1)
        seen[batch.key] = batch.tickets[-1].token


def test_a_prediction_goes_ahead_of_adaptations_that_came_first() -> None:
    batches = _drained(_waiting([_adapt(), _adapt(rows=9), _predict()]))
    assert [batch.key.kind for batch in batches] == [PredictCall, AdaptCall, AdaptCall]


def test_an_adaptation_is_passed_over_a_bounded_number_of_times() -> None:
    waiting = _waiting([_adapt()], max_batch=1, patience=3)
    order = []
    for _ in range(6):
        waiting.add(Ticket(_predict(), 0, 0.0))
        waiting.add(Ticket(_predict(), 0, 0.0))
        batch = waiting.next_batch()
        assert batch is not None
        order.append(batch.key.kind)
    assert order == [PredictCall, PredictCall, PredictCall, AdaptCall, PredictCall, PredictCall]


def test_models_take_turns() -> None:
    batches = _drained(_waiting([_adapt("a"), _adapt("a"), _adapt("b"), _adapt("a")], max_batch=1))
    assert [batch.key.artifact for batch in batches] == ["a", "b", "a", "a"]


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
