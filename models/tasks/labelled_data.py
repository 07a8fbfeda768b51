"""A labelled dataset as tensors. Knows arrays; nothing of files, episodes or learners."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.functional import on_device
from models.spec import Signature
from models.tasks.duplicates import row_keys, text_keys

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LabelledData:
    """n labelled examples, each perhaps of one task (an alphabet, a speaker, a person)."""

    inputs: (
        Tensor  # float32 [n, D], series float32 [n, T, C]; images [n, C, H, W] uint8 0..255 or float32 0..1
    )
    labels: Tensor  # int64 [n], 0..n_labels-1
    tasks: Tensor | None  # int64 [n], an index into task_names
    task_names: tuple[str, ...]
    label_names: tuple[str, ...] = ()  # of every label, where they are known
    table: Signature | None = None  # with the columns of a table
    keys: Array | None = (
        None  # uint64 [n], the `contents` of what was given, where inputs are not that or elsewhere
    )
    encoded_shape: tuple[int, ...] | None = (
        None  # where inputs are an encoder's features: of one example before
    )
    names: Tensor | None = (
        None  # [n_labels, *X], what stands for each label's own words where those are inputs too
    )
    named: Tensor | None = None  # float32 [n_labels], 1 where a label has words: else its row means nothing

    @classmethod
    def from_arrays(
        cls,
        inputs: Array,
        targets: Array,
        tasks: Array | None = None,
        *,
        class_names: Sequence[str] = (),
        table: Signature | None = None,
    ) -> "LabelledData":
        """From inputs [n, D], [n, H, W] or [n, H, W, C], targets [n] and tasks [n] of any plain type.

        Three dimensions of floating point are series [n, T, C]; of whole numbers, gray images. With `class_names`
        the targets are indices into them; without, a class is called by its target.

        Raises ValueError where lengths or dimensions do not fit.
        """
        if inputs.ndim not in (2, 3, 4):
            raise ValueError(
                f"inputs are [n, D], [n, T, C], [n, H, W] or [n, H, W, C], not {list(inputs.shape)}"
            )
        if targets.shape != (len(inputs),):
            raise ValueError(f"{len(inputs)} inputs need one target each, not {list(targets.shape)}")
        if tasks is not None and tasks.shape != (len(inputs),):
            raise ValueError(f"{len(inputs)} inputs need one task each, not {list(tasks.shape)}")
        kinds, labels = np.unique(targets, return_inverse=True)
        called = tuple(class_names[int(kind)] if class_names else str(kind) for kind in kinds)
        names: tuple[str, ...] = ()
        task_codes = None
        if tasks is not None:
            distinct, of_task = np.unique(tasks, return_inverse=True)
            names = tuple(str(name) for name in distinct)
            task_codes = torch.from_numpy(of_task.astype(np.int64))
        codes = torch.from_numpy(labels.astype(np.int64))
        return cls(_tensor(inputs), codes, task_codes, names, called, table)

    @property
    def is_image(self) -> bool:
        return self.inputs.ndim == 4

    @property
    def contents(self) -> Array:
        """Keys uint64 [n]: the same for examples that are equal."""
        return row_keys(self.inputs) if self.keys is None else self.keys

    @property
    def examples(self) -> Array:
        """Keys uint64 [n]: the same for examples that are equal and of classes that are called the same."""
        names: Array = text_keys(
            self.label_names or [str(label) for label in range(int(self.labels.max()) + 1)]
        )
        keys: Array = self.contents + names[self.labels.numpy()]
        return keys

    @property
    def wire_shape(self) -> tuple[int, ...]:
        """One example's shape on the wire: (D,), (T, C) for series, (H, W, C) for images, () for texts."""
        if self.encoded_shape is not None:
            return self.encoded_shape
        if not self.is_image:
            return tuple(self.inputs.shape[1:])
        channels, height, width = self.inputs.shape[1:]
        return (height, width, channels)

    def to(self, device: torch.device | str) -> "LabelledData":
        """The same data with its inputs on a device: episodes are then made there. Labels and tasks stay."""
        names, named = (None if one is None else one.to(device) for one in (self.names, self.named))
        return replace(self, inputs=self.inputs.to(device), keys=self.contents, names=names, named=named)

    def take(self, rows: Tensor) -> Tensor:
        """Inputs float32 [*rows, X] of the examples numbered by `rows`, where the inputs are; images in 0..1."""
        picked = self.inputs[on_device(rows, self.inputs.device)]
        return picked.float() / 255 if picked.dtype == torch.uint8 else picked


def _tensor(inputs: Array) -> Tensor:
    """Channels first, and float32 unless the values are an image's bytes."""
    if inputs.ndim == 2 or (inputs.ndim == 3 and inputs.dtype.kind == "f"):
        return torch.from_numpy(np.array(inputs, dtype=np.float32))
    images = inputs[..., None] if inputs.ndim == 3 else inputs
    kept = np.uint8 if images.dtype == np.uint8 else np.float32
    return torch.from_numpy(np.array(np.moveaxis(images, -1, 1), dtype=kept, order="C"))
