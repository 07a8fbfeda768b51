"""Ways and shots that vary by Meta-Dataset's rules, and what a split keeps apart by content."""

from typing import Any

import numpy as np
import pytest
import torch

from models.spec import ColumnSpec, LabelledSpec, Signature, TensorSpec, signature_of
from models.tasks.episode_sampler import draw_distinct
from models.tasks.episode_sizes import draw_shots, draw_ways
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData

SIZES = np.array([4, 6, 9, 14, 30, 30, 8, 12, 20, 25, 7, 5])


def _data(sizes: np.ndarray = SIZES, **fields: Any) -> LabelledData:
    """Every example a number of its own."""
    inputs = np.arange(sizes.sum(), dtype=np.float32)[:, None]
    return LabelledData.from_arrays(inputs, np.repeat(np.arange(len(sizes)), sizes), **fields)


def _spec(**fields: Any) -> LabelledSpec:
    plain = {"dataset": "ds_1", "n_query": 2, "min_way": 2, "max_way": 4, "min_shot": 1, "max_shot": 6}
    return LabelledSpec(**{**plain, **fields})


def _draw(family: Labelled, split: Any = "train", tasks: int = 400) -> Any:
    return family.sample(torch.Generator().manual_seed(0), tasks, split)


@pytest.mark.parametrize("split", ["train", "test"])
def test_ways_and_shots_vary_and_nothing_is_given_and_asked(split: str) -> None:
    data = _data()
    batch = _draw(Labelled(_spec(test_fraction=0.5), data), split)
    ways = batch.support.class_mask.sum(1)
    assert set(ways.tolist()) == {2.0, 3.0, 4.0}
    shots_seen = set()
    for m, way in enumerate(ways.long().tolist()):
        given = batch.support.mask[m] == 1
        asked = batch.query.mask[m] == 1
        rows = torch.cat([batch.support.inputs[m][given], batch.query.inputs[m][asked]]).flatten()
        assert len(rows.unique()) == len(rows)
        slots = torch.cat([batch.support.targets[m][given], batch.query.targets[m][asked]])
        labels = data.labels[rows.long()]
        for slot in range(way):
            assert len(labels[slots == slot].unique()) == 1
        shots = torch.bincount(batch.support.targets[m][given], minlength=4)
        assert (shots[:way] >= 1).all()
        assert not shots[way:].any()
        assert torch.bincount(batch.query.targets[m][asked], minlength=4)[:way].tolist() == [2] * way
        shots_seen |= set(shots[:way].tolist())
    assert shots_seen == {1, 2, 3, 4, 5, 6}


def test_train_ways_are_the_most_of_meta_training_alone() -> None:
    ranged = Labelled(_spec(train_ways=6, test_fraction=0.4), _data())
    assert set(_draw(ranged).support.class_mask.sum(1).tolist()) == {2.0, 3.0, 4.0, 5.0, 6.0}
    assert set(_draw(ranged, "test").support.class_mask.sum(1).tolist()) == {2.0, 3.0, 4.0}
    fixed = Labelled(_spec(n_way=3, min_way=None, max_way=None, train_ways=6, test_fraction=0.4), _data())
    assert set(_draw(fixed).support.class_mask.sum(1).tolist()) == {6.0}
    assert set(_draw(fixed, "test").support.class_mask.sum(1).tolist()) == {3.0}


def test_shots_are_imbalanced_and_leave_the_query_its_own() -> None:
    counts = torch.tensor([[4, 40, 20, 7]]).repeat(500, 1)
    ways = torch.full((500,), 3)
    shots = draw_shots(torch.Generator().manual_seed(0), counts, ways, 3, 1, 10)
    assert not shots[:, 3].any()
    assert (shots[:, 0] == 1).all()
    assert shots[:, 1].max() == 10
    assert shots[:, 1].float().mean() > shots[:, 2].float().mean()
    assert (shots[:, 1] != shots[:, 2]).any()


def test_ways_do_not_exceed_what_there_is() -> None:
    ways = draw_ways(torch.Generator().manual_seed(0), 2, torch.tensor([3] * 200 + [9] * 200), 5)
    assert set(ways[:200].tolist()) == {2, 3}
    assert set(ways[200:].tolist()) == {2, 3, 4, 5}


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_range_of_ways_may_end_beyond_the_classes_there_are(split: str) -> None:
    batch = _draw(Labelled(_spec(max_way=20), _data()), split)
    classes = {"train": 10, "test": 2}[split]
    assert batch.support.class_mask.shape[1] == classes
    assert set(batch.support.class_mask.sum(1).tolist()) == {float(ways) for ways in range(2, classes + 1)}


def test_fewer_numbers_than_are_wanted_are_all_given() -> None:
    drawn = draw_distinct(torch.Generator().manual_seed(0), torch.tensor([3, 8]).repeat(100), 5)
    assert all(sorted(row[:3].tolist()) == [0, 1, 2] for row in drawn[::2])
    assert drawn[::2].max() == 2
    assert all(len(set(row.tolist())) == 5 for row in drawn[1::2])


def test_equal_examples_of_a_class_are_one() -> None:
    data = _data(np.array([5, 5, 5, 5]))
    data.inputs[1] = data.inputs[0]
    family = Labelled(LabelledSpec(dataset="ds_1", n_way=2, n_shot=1, n_query=3), data)
    assert family.split.record.repeats_dropped == 1
    rows = torch.cat([_draw(family, split).support.inputs for split in ("train", "test")])
    assert 1.0 not in rows


def test_what_is_held_out_is_not_trained_on_in_another_class() -> None:
    data = _data(np.array([6, 6, 6, 6]), class_names=("a", "b", "c", "d"))
    spec = LabelledSpec(dataset="ds_1", n_way=2, n_shot=1, n_query=3)
    held_out = set(Labelled(spec, data).split.record.test)
    inside, outside = (
        [label for label, name in enumerate("abcd") if (name in held_out) is wanted]
        for wanted in (True, False)
    )
    data.inputs[6 * outside[0]] = data.inputs[6 * inside[0]]
    family = Labelled(spec, data)
    record = family.split.record
    assert (record.by, record.n_train, record.n_test, record.copies_dropped) == ("class", 2, 2, 1)
    assert set(record.test) == held_out
    assert data.inputs[6 * inside[0]] not in _draw(family).support.inputs


def test_a_split_that_leaves_nothing_is_refused() -> None:
    inputs = np.tile(np.arange(6, dtype=np.float32), 4)[:, None]
    data = LabelledData.from_arrays(inputs, np.repeat(np.arange(4), 6))
    with pytest.raises(ValueError, match="equal to held-out ones"):
        Labelled(LabelledSpec(dataset="ds_1", n_way=2, n_shot=1, n_query=3), data)


def test_ten_thousand_classes_are_drawn_from() -> None:
    data = _data(np.full(10_000, 3))
    family = Labelled(LabelledSpec(dataset="ds_1", n_way=5, n_shot=1, n_query=2), data)
    record = family.split.record
    assert (record.n_train, record.n_test, record.test) == (8000, 2000, ())
    assert len(data.labels[_draw(family, tasks=100).support.inputs.flatten().long()].unique()) > 400


def test_a_labelled_table_keeps_its_columns() -> None:
    table = Signature(
        inputs=TensorSpec(datatype="FP32", shape=(-1, 2)),
        targets=TensorSpec(datatype="BYTES", shape=(-1,)),
        columns=(ColumnSpec(name="kind", categories=("a", "b", "c")), ColumnSpec(name="size")),
    )
    spec = LabelledSpec(dataset="ds_1")
    signature = signature_of(spec, (2,), table)
    assert signature.columns == table.columns
    assert signature.encoded.inputs.shape == (-1, 4)
    assert signature.classes == ()
