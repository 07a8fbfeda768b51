"""Labels into slots and values into columns, and what is neither."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.adaptation.limits import Limits
from services.adaptation.targets import read_labels, read_values
from services.errors import Invalid

LIMITS = Limits(ways=8, label_characters=5)
AT = "/support/targets"


def _pointer(error: pytest.ExceptionInfo[Invalid]) -> str:
    (fault,) = error.value.faults
    return fault.pointer


@given(st.one_of(st.lists(st.sampled_from("abc"), min_size=1), st.lists(st.integers(-2, 2), min_size=1)))
def test_slots_lead_back_to_the_labels(labels: list[Any]) -> None:
    if len(set(labels)) == 1:
        with pytest.raises(Invalid, match="one class"):
            read_labels(labels, AT, LIMITS)
        return
    classes, slots = read_labels(labels, AT, LIMITS)
    assert [classes[slot] for slot in slots] == labels
    assert classes == list(dict.fromkeys(labels))
    assert slots.dtype == np.int64


def test_labels_keep_their_type() -> None:
    assert read_labels([3, 1, 3], AT, LIMITS).classes == [3, 1]
    assert read_labels(["3", "1"], AT, LIMITS).classes == ["3", "1"]
    assert [type(label) for label in read_labels(np.array([3, 1]), AT, LIMITS).classes] == [int, int]


def test_a_models_own_classes_keep_their_slots_whatever_is_shown() -> None:
    shown = read_labels(["no", "no"], AT, LIMITS, 2, fixed=("no", "yes"))
    assert (shown.classes, shown.slots.tolist()) == (["no", "yes"], [0, 0])
    assert read_labels([1, 1], AT, LIMITS, 2, fixed=("0", "1")).classes == [0, 1]
    assert read_labels(["1"], AT, LIMITS, 2, fixed=("0", "1")).classes == ["0", "1"]
    with pytest.raises(Invalid, match="'maybe' is not a class of this model, which are 'no', 'yes'"):
        read_labels(["maybe"], AT, LIMITS, 2, fixed=("no", "yes"))


@pytest.mark.parametrize(
    ("labels", "pointer"),
    [
        (["a", 1], f"{AT}/1"),
        ([1, "a"], f"{AT}/1"),
        ([1, True], f"{AT}/1"),
        ([True, False], f"{AT}/0"),
        ([1.0, 2.0], f"{AT}/0"),
        (["a", None], f"{AT}/1"),
        (["a", "toolong"], f"{AT}/1"),
        (np.array([1.0, 2.0]), AT),
        (np.array([[1], [2]]), AT),
        (["same", "same"], AT),
        (list(range(9)), AT),
        ([], AT),
    ],
)
def test_labels_that_are_refused(labels: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as error:
        read_labels(labels, AT, LIMITS)
    assert _pointer(error) == pointer


def test_a_model_bounds_the_classes_further() -> None:
    assert len(read_labels(list("abc"), AT, LIMITS, max_ways=3).classes) == 3
    with pytest.raises(Invalid, match="takes 3"):
        read_labels(list("abcd"), AT, LIMITS, max_ways=3)


def test_going_on_keeps_the_earlier_slots() -> None:
    classes, slots = read_labels(["c", "a"], AT, LIMITS, earlier=["a", "b", "c"])
    assert classes == ["a", "b", "c"]
    assert slots.tolist() == [2, 0]
    assert read_labels(["b"], AT, LIMITS, earlier=["a", "b"]).slots.tolist() == [1]
    with pytest.raises(Invalid) as error:
        read_labels(["a", "d"], AT, LIMITS, earlier=["a", "b"])
    assert _pointer(error) == f"{AT}/1"
    with pytest.raises(Invalid):
        read_labels([1, 2], AT, LIMITS, earlier=["1", "2"])


@pytest.mark.parametrize("raw", [[2, 4], np.array([2.0, 4.0]), np.array([[2.0], [4.0]], np.float32)])
def test_values_of_one_column(raw: Any) -> None:
    values = read_values(raw, 1, AT)
    assert values.dtype == np.float32
    assert values.tolist() == [[2.0], [4.0]]


def test_values_of_two_columns() -> None:
    assert read_values(np.ones((3, 2)), 2, AT).shape == (3, 2)


@pytest.mark.parametrize(
    ("raw", "width", "pointer"),
    [
        (["a"], 1, f"{AT}/0"),
        ([1, True], 1, f"{AT}/1"),
        (np.array([1.0, np.nan]), 1, f"{AT}/1"),
        (np.array([1e39]), 1, f"{AT}/0"),
        (np.ones(2), 2, AT),
        (np.ones((2, 3)), 2, AT),
        (np.array([True]), 1, AT),
    ],
)
def test_values_that_are_refused(raw: Any, width: int, pointer: str) -> None:
    with pytest.raises(Invalid) as error:
        read_values(raw, width, AT)
    assert _pointer(error) == pointer
