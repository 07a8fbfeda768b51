"""Which groups of a dataset meta-training may see, and which are held out. Knows no episode.

Two groups of the same rows are one and the same under two names: where a split would part them, the one on the
meta-training side is left out.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.spec import GroupedSpec, GroupSpec
from models.tasks.duplicates import row_keys
from models.tasks.family import Split
from models.tasks.grouped_data import GroupedData
from models.tasks.split_record import SplitRecord, record_of


@dataclass(frozen=True)
class GroupSplit:
    """Marks bool [G] of each side's groups, and what there is to say of them."""

    train: Tensor
    test: Tensor
    record: SplitRecord

    def of(self, split: Split) -> Tensor:
        return self.train if split == "train" else self.test


def split_groups(spec: GroupSpec, data: GroupedData) -> tuple[GroupedData, GroupSplit]:
    """The data that is drawn from, and its split. Raises ValueError, saying what is missing."""
    if spec.min_shot > spec.max_shot:
        raise ValueError(f"min_shot {spec.min_shot} is above max_shot {spec.max_shot}")
    repeats = 0
    if isinstance(spec, GroupedSpec) and spec.duplicates == "drop":
        data, repeats = data.without_repeats()
    usable_G = data.counts > spec.min_shot
    held_out_G = _held_out(spec, data, usable_G)
    test_G, train_G = usable_G & held_out_G, usable_G & ~held_out_G
    twins_G = _copies(data, train_G, test_G)
    train_G &= ~twins_G
    for side, marks in (("held out", test_G), ("left for meta-training", train_G)):
        if not marks.any():
            raise ValueError(
                f"an episode takes at least {spec.min_shot} rows of a task and one more to ask for, and no task "
                f"{side} has them; the largest of {len(data.counts)} tasks has {int(data.counts.max())} rows"
            )
    record = record_of(
        by="task",
        train=[name for name, mark in zip(data.group_names, train_G.tolist(), strict=True) if mark],
        test=[name for name, mark in zip(data.group_names, test_G.tolist(), strict=True) if mark],
        too_small=int((~usable_G).sum()),
        repeats_dropped=repeats,
        copies_dropped=int(twins_G.sum()),
    )
    return data, GroupSplit(train_G, test_G, record)


def _held_out(spec: GroupSpec, data: GroupedData, usable_G: Tensor) -> Tensor:
    """Marks bool [G] of the groups that are named, else of a drawn share of the usable ones, at least one."""
    if spec.test_tasks:
        unknown = sorted(set(spec.test_tasks) - set(data.group_names))
        if unknown:
            raise ValueError(f"test_tasks names tasks that the dataset does not have: {', '.join(unknown)}")
        return torch.tensor([name in set(spec.test_tasks) for name in data.group_names])
    candidates = usable_G.nonzero().flatten()
    if len(candidates) < 2:
        raise ValueError(
            f"at least two tasks of more than min_shot = {spec.min_shot} rows are needed, one of them held out for "
            f"the meta-test; this dataset has {len(candidates)} of {len(data.counts)}"
        )
    n_test = min(max(1, round(spec.test_fraction * len(candidates))), len(candidates) - 1)
    order = torch.randperm(len(candidates), generator=torch.Generator().manual_seed(spec.split_seed))
    return torch.zeros_like(usable_G).index_fill(0, candidates[order[:n_test]], True)


def _copies(data: GroupedData, train_G: Tensor, test_G: Tensor) -> Tensor:
    """Marks bool [G] of meta-training groups that hold the very rows of a held-out one, in any order."""
    rows = row_keys(data.inputs, data.targets.reshape(len(data.targets), -1))
    sums_G = np.add.reduceat(rows, data.starts.numpy()) if len(rows) else rows
    # One row alike says little of who it is; all of several do.
    several_G = (data.counts > 1).numpy()
    same_G = np.isin(sums_G, sums_G[test_G.numpy() & several_G]) & several_G
    return train_G & torch.from_numpy(same_G)
