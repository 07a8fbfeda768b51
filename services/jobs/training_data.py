"""A dataset's arrays as the tensors that a family of tasks draws from. Imports torch; knows no row and no file."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from models.spec import GroupSpec, LabelledSpec, words_of
from models.tasks.duplicates import row_keys, text_keys
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled_data import LabelledData
from services.datasets.records import LabelledArrays

Array = np.ndarray[Any, Any]


def training_data(
    tasks: LabelledSpec | GroupSpec,
    arrays: LabelledArrays,
    encoded: Array | None = None,
    names: Array | None = None,
) -> LabelledData | GroupedData:
    """`encoded` [n, F] stand for the inputs of labelled tasks where an encoder made features (or tokens) of them.

    `names` [n_classes, F] likewise for the words of each class, where the tasks have these as examples.

    Raises ValueError where such tasks cannot be drawn from such arrays.
    """
    groups = arrays.task_names_of_examples
    if isinstance(tasks, LabelledSpec):
        data = LabelledData.from_arrays(
            arrays.inputs if encoded is None else encoded,
            arrays.targets,
            groups,
            class_names=arrays.classes,
            table=arrays.signature,
        )
        if encoded is not None:
            # Examples are equal where what was uploaded is: features are rounded by what they were made beside.
            shape = arrays.signature.inputs.example_shape
            data = replace(data, encoded_shape=shape, keys=_contents(arrays))
        if not tasks.class_names or names is None:
            return data
        named = torch.tensor([float(bool(words_of(name))) for name in arrays.classes])
        return replace(data, names=torch.from_numpy(names), named=named)
    if groups is None:
        raise ValueError("grouped tasks need a dataset with a task for every row, and this one has none")
    return GroupedData.from_arrays(
        arrays.inputs, arrays.targets, groups, columns=arrays.columns, classes=arrays.classes
    )


def _contents(arrays: LabelledArrays) -> Array:
    """Keys uint64 [n] of examples as they came."""
    return text_keys(arrays.inputs.tolist()) if arrays.is_text else row_keys(torch.from_numpy(arrays.inputs))
