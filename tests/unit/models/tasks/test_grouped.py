"""Tasks that are groups of rows, and sequences: who is in which side, what is given, and what a column means."""

from typing import Any

import numpy as np
import pytest
import torch

from models.build import build_family
from models.spec import ColumnSpec, GroupedSpec, SequencesSpec
from models.tasks.grouped import Grouped
from models.tasks.grouped_data import GroupedData
from models.tasks.sequences import Sequences

COUNTS = (3, 8, 8, 20, 1, 8)


def _data(**fields: Any) -> GroupedData:
    """Row r of group g is the input [g, r] and the target 100 g + r, so that a row tells where it is from."""
    groups = np.repeat(np.arange(len(COUNTS)), COUNTS)
    places = np.concatenate([np.arange(count) for count in COUNTS])
    inputs = np.stack([groups, places], 1).astype(np.float32)
    return GroupedData.from_arrays(
        inputs, 100.0 * groups + places, np.array([f"p{g}" for g in groups]), **fields
    )


def _spec(**fields: Any) -> GroupedSpec:
    return GroupedSpec(**{"dataset": "ds_1", "min_shot": 2, "max_shot": 5, "n_query": 4, **fields})


def _sequences(**fields: Any) -> SequencesSpec:
    return SequencesSpec(**{"dataset": "ds_1", "min_shot": 2, "max_shot": 5, "n_query": 4, **fields})


def _draw(family: Grouped, split: Any = "train", tasks: int = 300) -> Any:
    return family.sample(torch.Generator().manual_seed(0), tasks, split)


@pytest.mark.parametrize(
    "make", [lambda: Grouped(_spec(), _data()), lambda: Sequences(_sequences(), _data())]
)
def test_an_episode_stays_within_one_group_and_asks_for_what_it_does_not_give(make: Any) -> None:
    batch = _draw(make())
    shots = batch.support.mask.sum(1)
    assert set(shots.tolist()) == {2.0, 3.0, 4.0, 5.0}
    for m in range(len(shots)):
        given = batch.support.inputs[m][batch.support.mask[m] == 1]
        asked = batch.query.inputs[m][batch.query.mask[m] == 1]
        rows = torch.cat([given, asked])
        assert len(rows[:, 0].unique()) == 1
        assert len(rows[:, 1].unique()) == len(rows)
        assert 1 <= len(asked) <= 4
        expected = 100 * asked[:, 0] + asked[:, 1]
        assert torch.equal(batch.query.targets[m][batch.query.mask[m] == 1][:, 0], expected)
    assert not batch.support.inputs[batch.support.mask == 0].any()
    assert not batch.query.targets[batch.query.mask == 0].any()


def test_a_sequence_gives_the_past_and_asks_for_what_follows_it() -> None:
    batch = _draw(Sequences(_sequences(), _data()))
    for m, shot in enumerate(batch.support.mask.sum(1).long().tolist()):
        assert batch.support.inputs[m, :shot, 1].tolist() == list(range(shot))
        asked = batch.query.inputs[m][batch.query.mask[m] == 1][:, 1]
        assert asked.tolist() == list(range(shot, shot + len(asked)))


def test_every_row_of_a_group_is_given_sometimes() -> None:
    batch = _draw(Grouped(_spec(), _data()))
    of_largest = batch.support.inputs[(batch.support.inputs[:, :, 0] == 3) & (batch.support.mask == 1)]
    assert set(of_largest[:, 1].tolist()) == set(range(20))


def test_held_out_groups_are_never_seen_in_meta_training() -> None:
    family = Grouped(_spec(test_fraction=0.4), _data())
    sides = [set(_draw(family, split).query.inputs[:, 0, 0].tolist()) for split in ("train", "test")]
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == {0.0, 1.0, 2.0, 3.0, 5.0}
    record = family.split.record
    assert (record.by, record.n_train, record.n_test, record.too_small) == ("task", 3, 2, 1)
    assert {float(name[1:]) for name in record.test} == sides[1]


def test_groups_can_be_held_out_by_name() -> None:
    family = Grouped(_spec(test_tasks=("p1",)), _data())
    assert set(_draw(family, "test").query.inputs[:, 0, 0].tolist()) == {1.0}


def test_equal_rows_of_a_group_are_one_unless_they_are_to_be_kept() -> None:
    inputs = np.array([[0], [0], [1], [0], [0], [1], [2]], np.float32)
    targets, groups = np.array([1.0, 1, 2, 1, 3, 2, 4]), np.array(["a"] * 3 + ["b"] * 4)
    data = GroupedData.from_arrays(inputs, targets, groups)
    spec = _spec(min_shot=1)
    dropped = Grouped(spec, data)
    assert dropped.split.record.repeats_dropped == 1
    assert dropped.data.counts.tolist() == [2, 4]
    kept = Grouped(_spec(min_shot=1, duplicates="keep"), data)
    assert kept.split.record.repeats_dropped == 0
    assert kept.data.counts.tolist() == [3, 4]


def test_a_held_out_group_is_not_trained_on_under_another_name() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    other = np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)
    inputs, targets = np.concatenate([rows, rows[::-1], other]), np.arange(15.0) % 5
    targets[5:10] = targets[:5][::-1]
    data = GroupedData.from_arrays(inputs, targets, np.repeat(["a", "a again", "b"], 5))
    family = Grouped(_spec(test_tasks=("a",)), data)
    assert family.split.record.copies_dropped == 1
    assert family.split.record.n_train == 1


def test_numbers_are_standardised_by_the_groups_of_meta_training_alone() -> None:
    columns = (ColumnSpec(name="group"), ColumnSpec(name="row"))
    signature = Grouped(_spec(test_tasks=("p3",)), _data(columns=columns)).signature
    seen = np.concatenate([np.arange(count) for count in (3, 8, 8, 8)])
    assert signature.columns[1].name == "row"
    assert signature.columns[1].mean == pytest.approx(seen.mean())
    assert signature.columns[1].scale == pytest.approx(seen.std())
    assert signature.target_columns[0].mean > 0


def test_classes_are_those_of_every_group() -> None:
    data = GroupedData.from_arrays(
        np.arange(12, dtype=np.float32)[:, None],
        np.array([0, 0, 0, 0] + [0, 1] * 4),
        np.repeat(["a", "b", "c"], 4),
        classes=("no", "yes"),
    )
    family = Grouped(_spec(min_shot=1), data)
    assert family.signature.classes == ("no", "yes")
    batch = _draw(family)
    assert batch.support.class_mask.shape == (300, 2)
    assert batch.support.class_mask.all()
    assert batch.query.targets.dtype == torch.int64


def _tiny(**changes: Any) -> GroupedData:
    arrays: dict[str, Any] = {
        "inputs": np.arange(8, dtype=np.float32)[:, None],
        "targets": np.arange(8.0),
        "groups": np.repeat(["a", "b"], 4),
        **changes,
    }
    return GroupedData.from_arrays(
        arrays.pop("inputs"), arrays.pop("targets"), arrays.pop("groups"), **arrays
    )


@pytest.mark.parametrize(
    ("fields", "data", "message"),
    [
        ({}, _tiny(groups=np.array(["a"] * 8)), "at least two tasks"),
        ({"min_shot": 4}, _tiny(), "at least two tasks"),
        ({"min_shot": 3, "max_shot": 2}, _tiny(), "min_shot 3 is above max_shot 2"),
        ({"test_tasks": ("z",)}, _tiny(), "does not have: z"),
        ({"test_tasks": ("a", "b")}, _tiny(), "left for meta-training"),
        ({"duplicates": "keep"}, _tiny(inputs=np.ones((8, 2), np.float32)), "every input column is constant"),
        ({"duplicates": "keep"}, _tiny(targets=np.ones(8)), "the target is the same number"),
    ],
)
def test_what_a_dataset_cannot_give_is_said(fields: dict, data: GroupedData, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grouped(_spec(**fields), data)


def test_it_needs_its_dataset() -> None:
    with pytest.raises(ValueError, match="a task for every row"):
        build_family(_spec(), None)
    with pytest.raises(ValueError, match="not images"):
        GroupedData.from_arrays(np.zeros((2, 4, 4), np.uint8), np.zeros(2), np.array(["a", "b"]))
