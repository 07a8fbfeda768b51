"""The life of a job: every walk through the table ends well, and no end is ever left."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.jobs.states import NEXT, JobState

STATES = st.sampled_from(JobState)


@given(STATES, STATES)
def test_nothing_follows_a_terminal_state(state: JobState, other: JobState) -> None:
    if state.is_terminal:
        assert not state.may_become(other)


@given(STATES)
def test_every_state_can_still_end(state: JobState) -> None:
    reached, frontier = {state}, [state]
    while frontier:
        for following in NEXT[frontier.pop()] - reached:
            reached.add(following)
            frontier.append(following)
    assert any(one.is_terminal for one in reached)


@given(st.lists(STATES, max_size=30))
def test_a_walk_never_succeeds_without_having_run_just_before(wishes: list[JobState]) -> None:
    walk = [JobState.QUEUED]
    for wish in wishes:
        if walk[-1].may_become(wish):
            walk.append(wish)
    for state, following in pairwise(walk):
        if following is JobState.SUCCEEDED:
            assert state is JobState.RUNNING


def test_terminal_states_are_the_three_of_the_contract() -> None:
    assert {state for state in JobState if state.is_terminal} == {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
    }


def test_a_paused_job_only_goes_on_or_is_cancelled() -> None:
    assert NEXT[JobState.PAUSED] == {JobState.QUEUED, JobState.CANCELLED}
