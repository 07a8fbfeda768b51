"""Speed, time left, and how often to tell it."""

import pytest

from services.jobs.pace import Pace


def test_nothing_is_known_before_the_first_iteration() -> None:
    pace = Pace(0, 100.0)
    assert pace.seconds_left(10) is None
    pace.reached(0, 101.0)
    assert pace.seconds_left(10) is None


def test_the_first_iteration_alone_foretells_nothing() -> None:
    pace = Pace(0, 0.0)
    pace.reached(1, 8.0)
    assert pace.seconds_left(2500) is None
    pace.reached(51, 8.5)
    assert pace.seconds_left(2551) == 25.0
    slow = Pace(0, 0.0)
    for iteration in (1, 2):
        slow.reached(iteration, 3.0 * iteration)
    assert slow.seconds_left(10) == 24.0


def test_a_steady_job_is_foretold_exactly() -> None:
    pace = Pace(40, 0.0)
    for second in range(1, 20):
        pace.reached(40 + 10 * second, float(second))
    assert pace.seconds_left(430) == 20.0
    assert pace.seconds_left(100) == 0.0


def test_a_slower_job_is_believed_after_a_while_not_at_once() -> None:
    pace = Pace(0, 0.0)
    pace.reached(100, 1.0)
    pace.reached(110, 2.0)
    assert 1.0 < (pace.seconds_left(210) or 0.0) < 2.0
    for second in range(3, 60):
        pace.reached(110 + 10 * (second - 2), float(second))
    assert pace.seconds_left(680 + 100) == pytest.approx(10.0, rel=0.01)


def test_a_short_job_tells_every_report() -> None:
    pace = Pace(0, 0.0)
    assert all(pace.event_due(half / 2) for half in range(1, 400))


def test_a_day_leaves_few_thousand_events() -> None:
    pace = Pace(0, 0.0)
    assert sum(pace.event_due(half / 2) for half in range(1, 2 * 86_400)) < 12_000
