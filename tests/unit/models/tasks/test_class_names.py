"""Names of classes in episodes: given as rows before the examples, masked without words, never asked for.

An example's input is its own number, and a name's is 1000 more than its label.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from models.algorithms.named import examples_of
from models.episode import MetaBatch, SupportSet
from models.spec import LabelledSpec
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.tasks.whole import Whole
from models.training.shots import at_shots

LABELS, EACH, SILENT = 12, 8, 3


def _data() -> LabelledData:
    """Label `SILENT` has no words."""
    inputs = np.arange(LABELS * EACH, dtype=np.float32)[:, None]
    data = LabelledData.from_arrays(inputs, np.repeat(np.arange(LABELS), EACH))
    names = 1000.0 + torch.arange(LABELS, dtype=torch.float32).unsqueeze(-1)
    named = (torch.arange(LABELS) != SILENT).float()
    return replace(data, names=names, named=named)


def _spec(**fields: Any) -> LabelledSpec:
    plain = {"dataset": "ds_1", "n_way": 3, "n_shot": 2, "n_query": 3, "test_fraction": 0.4}
    return LabelledSpec(**{**plain, "class_names": True, **fields})


def _draw(family: Labelled, split: Any) -> MetaBatch:
    return family.sample(torch.Generator().manual_seed(0), 60, split)


@pytest.mark.parametrize("sizes", [{}, {"max_way": 4, "max_shot": 3}, {"train_ways": 5}])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_support_set_begins_with_the_name_of_each_class(sizes: dict[str, int], split: str) -> None:
    support, query = _draw(Labelled(_spec(**sizes), _data()), split)
    silent = 0
    for m, ways in enumerate(support.class_mask.sum(1).long().tolist()):
        slots = support.class_mask.shape[1]
        asked = query.inputs[m][query.mask[m] == 1].flatten()
        assert (asked < 1000).all(), "a name is asked for"
        task = SupportSet(*(tensor[m] for tensor in support))
        given = task.inputs[examples_of(task) == 1].flatten()
        assert (given < 1000).all(), "a name is an example"
        assert not set(given.tolist()) & set(asked.tolist())
        labels = [int(query.inputs[m, slot * 3, 0]) // EACH for slot in range(ways)]
        assert task.targets[:slots].tolist() == list(range(slots))
        assert task.inputs[:ways, 0].tolist() == [1000.0 + label for label in labels]
        assert task.mask[:ways].tolist() == [float(label != SILENT) for label in labels]
        assert not task.mask[ways:slots].any()
        silent += SILENT in labels
    assert 0 < silent < 60 or SILENT not in (Labelled(_spec(), _data()).split.test.labels.tolist())


def test_the_rest_of_an_episode_is_what_it_is_without_names() -> None:
    named, plain = (_draw(Labelled(_spec(class_names=on), _data()), "test") for on in (True, False))
    for one, other in zip(named.query, plain.query, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(named.support[:3], plain.support[:3], strict=True):
        assert torch.equal(one[:, 3:], other)
    assert torch.equal(named.support.class_mask, plain.support.class_mask)


def test_of_names_some_numbers_are_dropped_as_of_examples() -> None:
    family = Labelled(_spec(dropout=0.5), _data())
    mean = float(family.train_mean())
    dropped = (_draw(family, "train").support.inputs[:, :3] == mean).float().mean()
    assert 0.3 < dropped < 0.7
    assert (_draw(family, "test").support.inputs[:, :3] >= 1000).all()


def test_they_are_not_counted_as_shots() -> None:
    family = Labelled(_spec(), _data())
    more = at_shots(family, 4)
    assert isinstance(more, Labelled)
    assert _draw(more, "test").support.inputs.shape[1] == 3 * (4 + 1)
    assert at_shots(family, 4, most=14) is None
    assert at_shots(family, 4, most=15) is not None


def test_a_dataset_that_was_never_trained_on_has_them_too() -> None:
    support, _ = _draw(Whole(_spec(), _data()), "test")
    assert (support.inputs[:, :3] >= 1000).all()
    assert (support.inputs[:, 3:] < 1000).all()


def test_without_names_to_read_there_are_none() -> None:
    with pytest.raises(ValueError, match="only texts have class names"):
        Labelled(_spec(), replace(_data(), names=None, named=None))
