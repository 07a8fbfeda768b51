"""The family of synthetic tables: shapes, masks, class slots, and that something can be learned from its tables."""

import pytest
import torch

from models.spec import TablesSpec, Task
from models.tasks.tables.family import Tables

SPEC = TablesSpec(columns=7, classes=5, min_shot=3, max_shot=20, n_query=9)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_meta_batch_has_the_familys_shapes_and_nothing_in_its_padding() -> None:
    support, query = Tables(SPEC).sample(_generator(), 120)
    assert support.inputs.shape == (120, 20, 7)
    assert query.inputs.shape == (120, 9, 7)
    assert support.targets.dtype == query.targets.dtype == torch.int64
    shots = support.mask.sum(-1)
    assert shots.min() == 3
    assert shots.max() > 15
    padding = support.mask == 0
    assert (support.inputs[padding] == 0).all()
    assert (support.targets[padding] == 0).all()
    widths = (support.inputs.nan_to_num(nan=1.0).abs().sum(1) > 0).sum(-1)
    assert len(widths.unique()) > 2
    assert support.inputs.isnan().any()


def test_class_slots_are_those_of_the_labelled_rows() -> None:
    support, query = Tables(SPEC).sample(_generator(1), 120)
    for task in range(120):
        labelled = support.targets[task][support.mask[task] == 1].unique()
        ways = int(support.class_mask[task].sum())
        assert labelled.tolist() == list(range(ways))
        graded = query.targets[task][query.mask[task] == 1]
        assert graded.numel() == 0 or int(graded.max()) < ways
        assert ways > 1 or graded.numel() == 0
    assert len(support.class_mask.sum(-1).unique()) == 5 or support.class_mask.sum(-1).max() == 5


def test_numbers_are_finite_and_of_many_sizes() -> None:
    spec = TablesSpec(task="regression", columns=4, n_query=8)
    support, query = Tables(spec).sample(_generator(2), 100)
    assert support.class_mask.shape == (100, 0)
    assert query.targets.shape == (100, 8, 1)
    assert query.targets.isfinite().all()
    sizes = query.targets.abs().amax((1, 2))
    assert sizes.max() / sizes.min() > 100


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_same_seed_draws_the_same_tables(task: Task) -> None:
    family = Tables(TablesSpec(task=task, columns=3, n_query=4, max_shot=8))
    one, same, other = (family.sample(_generator(seed), 20) for seed in (1, 1, 2))
    for left, right in zip((*one.support, *one.query), (*same.support, *same.query), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(one.query.inputs.nan_to_num(), other.query.inputs.nan_to_num())


def test_most_tables_have_something_to_learn() -> None:
    """The nearest labelled row, in standardised columns, tells classes better than the most frequent one."""
    support, query = Tables(SPEC).draw(_generator(3), 200, 40, 20, 4)
    mean, std = (
        support.inputs.nan_to_num().mean(1, keepdim=True),
        support.inputs.nan_to_num().std(1, keepdim=True),
    )
    seen, asked = ((x.nan_to_num() - mean) / (std + 1e-9) for x in (support.inputs, query.inputs))
    nearest = support.targets.gather(1, torch.cdist(asked, seen).argmin(-1))
    commonest = support.targets.mode(-1).values.unsqueeze(-1)
    right, base = ((guess == query.targets).float().mean(-1) for guess in (nearest, commonest))
    assert (right - base).mean() > 0.1


def test_a_family_needs_its_bounds_in_order() -> None:
    with pytest.raises(ValueError, match="min_shot 9 is above max_shot 8"):
        Tables(TablesSpec(min_shot=9, max_shot=8))
