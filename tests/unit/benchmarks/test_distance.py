"""Answers are compared by their numbers, and nothing else may differ but their names."""

import copy

import pytest

from tests.benchmarks.distance import APART, distance

ANSWER = {
    "object": "predictions",
    "adaptation": "adp_1",
    "model": {"name": "m", "version": 1},
    "predictions": [{"label": "a", "probabilities": {"a": 0.75, "b": 0.25}}, {"value": -200.0, "std": None}],
}


def changed(*path: str | int, to: object) -> object:
    other = copy.deepcopy(ANSWER)
    place: object = other
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    place[path[-1]] = to  # type: ignore[index]
    return other


def test_an_answer_is_at_no_distance_from_itself() -> None:
    assert distance(ANSWER, copy.deepcopy(ANSWER)) == 0


@pytest.mark.parametrize("path", [("adaptation",), ("predictions", 0, "label")])
def test_names_of_its_own_do_not_count(path: tuple[str | int, ...]) -> None:
    assert distance(ANSWER, changed(*path, to="other")) == 0


def test_small_numbers_count_as_they_are_and_large_ones_by_their_size() -> None:
    assert distance(ANSWER, changed("predictions", 0, "probabilities", "a", to=0.5)) == 0.25
    assert distance(ANSWER, changed("predictions", 1, "value", to=-202.0)) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("object",), "adaptation"),
        (("model", "name"), "n"),
        (("predictions",), []),
        (("predictions", 1, "std"), 0.0),
        (("predictions", 0, "probabilities"), {"a": 0.75, "c": 0.25}),
        (("predictions", 1, "value"), False),
    ],
)
def test_another_answer_altogether_is_apart(path: tuple[str | int, ...], to: object) -> None:
    assert distance(ANSWER, changed(*path, to=to)) == APART
