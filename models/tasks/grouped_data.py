"""A dataset whose rows belong to groups, as tensors. Knows arrays; nothing of files, episodes or learners."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.spec import ColumnSpec, Signature, TensorSpec
from models.tasks.duplicates import row_keys
from models.tasks.measured_columns import measured

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class GroupedData:
    """n rows in the order of their groups, and within a group in the order in which they came."""

    inputs: Tensor  # float32 [n, D]
    targets: Tensor  # regression float32 [n, T]; classification int64 [n], an index into `classes`
    group_names: tuple[str, ...]
    counts: Tensor  # int64 [G], rows of each group
    columns: tuple[ColumnSpec, ...]  # D of them
    classes: tuple[str, ...] = ()  # empty for regression
    starts: Tensor = field(init=False)  # int64 [G], each group's first row

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", self.counts.cumsum(0) - self.counts)

    @classmethod
    def from_arrays(
        cls,
        inputs: Array,
        targets: Array,
        groups: Array,
        *,
        columns: Sequence[ColumnSpec] = (),
        classes: Sequence[str] = (),
    ) -> "GroupedData":
        """From inputs [n, D], targets [n, T] or indices [n] into `classes`, and each row's group [n] of any type.

        Raises ValueError where lengths or dimensions do not fit.
        """
        if inputs.ndim != 2:
            raise ValueError("grouped tasks take rows of numbers and categories [n, D], not images or series")
        if len(targets) != len(inputs) or groups.shape != (len(inputs),):
            raise ValueError(f"{len(inputs)} inputs need a target and a task each")
        names, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
        order = np.argsort(codes, kind="stable")
        kind: Any = np.int64 if classes else np.float32
        ordered = np.array(targets, dtype=kind)[order]
        return cls(
            inputs=torch.from_numpy(np.array(inputs, dtype=np.float32)[order]),
            targets=torch.from_numpy(ordered if classes else ordered.reshape(len(inputs), -1)),
            group_names=tuple(str(name) for name in names),
            counts=torch.from_numpy(counts.astype(np.int64)),
            columns=tuple(columns) or (ColumnSpec(),) * inputs.shape[1],
            classes=tuple(classes),
        )

    @property
    def groups(self) -> Tensor:
        """Each row's group, int64 [n]."""
        return torch.arange(len(self.counts)).repeat_interleave(self.counts)

    def without_repeats(self) -> tuple["GroupedData", int]:
        """Of a group's rows that are equal in inputs and target the first alone; and how many are gone."""
        targets = self.targets.reshape(len(self.targets), -1)
        keys = row_keys(self.groups.unsqueeze(-1), self.inputs, targets)
        _, first = np.unique(keys, return_index=True)
        kept = torch.from_numpy(np.sort(first))
        counts = self.groups[kept].bincount(minlength=len(self.counts))
        data = GroupedData(
            self.inputs[kept], self.targets[kept], self.group_names, counts, self.columns, self.classes
        )
        return data, len(self.inputs) - len(kept)

    def standardised(self, groups: Tensor) -> Signature:
        """The signature of a model for these rows, numbers standardised by those of the groups marked bool [G].

        Raises ValueError where nothing varies.
        """
        seen = groups[self.groups]
        columns = measured(self.columns, self.inputs[seen])
        if all(column.scale == 0 for column in columns):
            raise ValueError("every input column is constant: there is nothing to predict from")
        inputs = TensorSpec(datatype="FP32", shape=(-1, self.inputs.shape[1]))
        if self.classes:
            labels = TensorSpec(datatype="BYTES", shape=(-1,))
            return Signature(inputs=inputs, targets=labels, columns=columns, classes=self.classes)
        width = self.targets.shape[1]
        targets = measured((ColumnSpec(),) * width, self.targets[seen])
        if any(column.scale == 0 for column in targets):
            raise ValueError("the target is the same number in every row: there is nothing to learn")
        values = TensorSpec(datatype="FP32", shape=(-1, width))
        return Signature(inputs=inputs, targets=values, columns=columns, target_columns=targets)
