"""Rows side by side: each keeps its place, places come back, and growing copies nothing."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from services.engine.slab import Slab

CPU = torch.device("cpu")


def _rows(first: int, count: int) -> torch.Tensor:
    return torch.arange(first, first + count, dtype=torch.float32).unsqueeze(1).expand(count, 3)


def test_rows_over_many_chunks_come_back_in_the_order_asked() -> None:
    slab = Slab(3, CPU)
    places = slab.add(_rows(0, 500))
    assert places == list(range(500))
    for asked in ([3], [499, 0, 63, 64, 191, 192, 3], list(range(64, 192))):
        assert slab.gather(asked)[:, 0].tolist() == asked


def test_what_is_gathered_is_a_copy() -> None:
    slab = Slab(3, CPU)
    slab.add(_rows(0, 100))
    for asked in ([1, 2], [1, 99]):
        slab.gather(asked).zero_()
    assert slab.gather([1, 2, 99])[:, 0].tolist() == [1, 2, 99]


@given(st.lists(st.one_of(st.integers(1, 90), st.floats(0, 1, exclude_max=True)), max_size=40))
def test_whatever_comes_and_goes_every_row_stays_where_it_was_put(steps: list[int | float]) -> None:
    """An integer adds so many rows; a fraction drops the one that stands there among those that are held."""
    slab, held, number = Slab(3, CPU), {}, 0
    for step in steps:
        if isinstance(step, int):
            for place, value in zip(slab.add(_rows(number, step)), range(number, number + step), strict=True):
                assert place not in held
                held[place] = value
            number += step
        elif held:
            place = sorted(held)[int(step * len(held))]
            slab.drop(place)
            del held[place]
    if held:
        assert slab.gather(list(held))[:, 0].tolist() == list(held.values())
