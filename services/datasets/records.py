"""A dataset's record, and its examples as arrays. Plain values; no file format, no row."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import numpy as np

from models.spec import ColumnSpec, Signature, TensorSpec

Array = np.ndarray[Any, Any]
DatasetKind = Literal["labelled", "regression"]


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded dataset. `sha256` and `bytes` are of the file as it came.

    `labelled`: every example belongs to one of `n_classes` classes. `regression`: targets are numbers, and
    `n_classes` is None. `n_tasks` is None where the examples were not given tasks. `class_sizes` says of how many
    examples how many classes are; empty where that is not known.
    """

    id: str
    name: str
    kind: DatasetKind
    n_examples: int
    n_classes: int | None
    n_tasks: int | None
    class_sizes: tuple[tuple[int, int], ...] = ()
    signature: Signature
    sha256: str
    bytes: int
    created_at: datetime

    @property
    def example_shape(self) -> tuple[int, ...]:
        """One example's shape: (D,), (T, C) for series, (H, W, C) for images, or () for texts."""
        return self.signature.inputs.example_shape


class DatasetColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of a table are what; all empty for files that are not tables.

    No `inputs` means every column that is neither target, task nor order. Those of the inputs that `categorical`
    names become the index of one of their values. Rows are kept in the order of the `order` column's numbers.
    """

    inputs: tuple[str, ...] = ()
    target: str | None = None
    task: str | None = None
    categorical: tuple[str, ...] = ()
    order: str | None = None


@dataclass(frozen=True)
class LabelledArrays:
    """n examples. Labelled: `targets` are indices into `classes`. Regression: numbers, and `classes` is empty."""

    # Float32 [n, D], series [n, T, C]; images [n, H, W, C] uint8 0..255 or float32 0..1; texts, objects [n].
    inputs: Array
    targets: Array  # int64 [n], 0..len(classes)-1, each at least once; regression float32 [n, T]
    classes: tuple[str, ...]
    tasks: Array | None  # int64 [n], an index into task_names
    task_names: tuple[str, ...]
    columns: tuple[ColumnSpec, ...] = ()  # of a table: the name and the categories of each of the D

    @property
    def is_text(self) -> bool:
        return bool(self.inputs.dtype == np.object_)

    @property
    def kind(self) -> DatasetKind:
        return "labelled" if self.classes else "regression"

    @property
    def task_names_of_examples(self) -> Array | None:
        """Each example's task by name, str [n]; None where there are no tasks."""
        return None if self.tasks is None else np.array(self.task_names)[self.tasks]

    @property
    def signature(self) -> Signature:
        """What a model trained on these takes and gives."""
        targets = (
            TensorSpec(datatype="BYTES", shape=(-1,))
            if self.classes
            else TensorSpec(datatype="FP32", shape=(-1, self.targets.shape[1]))
        )
        inputs = TensorSpec(datatype="BYTES" if self.is_text else "FP32", shape=(-1, *self.inputs.shape[1:]))
        return Signature(inputs=inputs, targets=targets, columns=self.columns)
