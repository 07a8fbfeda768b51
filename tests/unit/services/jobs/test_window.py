"""Metrics are averaged over windows that an interruption does not move."""

from hypothesis import given
from hypothesis import strategies as st

from services.jobs.window import MAX_WINDOWS, SHORTEST, MetricWindows


@given(st.integers(1, 10_000_000))
def test_there_are_never_too_many_windows(iterations: int) -> None:
    length = MetricWindows(iterations).length
    assert length >= SHORTEST
    assert iterations / length <= MAX_WINDOWS


@given(st.integers(1, 10_000), st.lists(st.integers(1, 50), max_size=50))
def test_room_never_crosses_the_end_of_a_window(iterations: int, strides: list[int]) -> None:
    windows, iteration = MetricWindows(iterations), 0
    for stride in strides:
        step = min(stride, windows.room(iteration))
        assert step >= 1
        assert iteration // windows.length == (iteration + step - 1) // windows.length
        iteration += step


def test_means_weigh_by_iterations() -> None:
    windows = MetricWindows(100)
    windows.add({"loss": 1.0}, 3)
    windows.add({"loss": 5.0}, 1)
    assert windows.means() == {"loss": 2.0}
    assert MetricWindows(100).means() == {}


def test_a_few_iterations_alone_are_filled_up_with_the_window_before() -> None:
    windows = MetricWindows(100)
    windows.add({"loss": 1.0}, 10)
    windows.clear()
    assert windows.means() == {"loss": 1.0}
    windows.add({"loss": 6.0}, 1)
    assert windows.means() == {"loss": 1.5}
    windows.add({"loss": 6.0}, 9)
    assert windows.means() == {"loss": 6.0}


def test_what_is_shown_is_the_mean_of_the_latest_windows() -> None:
    windows = MetricWindows(100)
    assert windows.recent() == {}
    windows.add({"loss": 8.0}, 5)
    assert windows.recent() == {"loss": 8.0}
    windows.add({"loss": 8.0}, 5)
    for loss in (1.0, 2.0, 3.0, 4.0, 5.0):
        windows.clear()
        windows.add({"loss": loss}, 10)
    assert windows.recent() == {"loss": (8.0 + 1 + 2 + 3 + 4 + 5) / 6}
    windows.clear()
    assert windows.recent() == {"loss": 3.0}
    windows.add({"loss": 55.0}, 2)
    assert windows.recent() == {"loss": 5.0}
