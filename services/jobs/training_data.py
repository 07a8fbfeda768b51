"""A dataset's arrays as the tensors that a family of tasks draws from. Imports torch; knows no row and no file."""

from dataclasses import replace
from typing import Any

import numpy as np

from models.spec import GroupSpec, LabelledSpec
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled_data import LabelledData
from services.datasets.records import LabelledArrays


def training_data(
    tasks: LabelledSpec | GroupSpec, arrays: LabelledArrays, encoded: np.ndarray[Any, Any] | None = None
) -> LabelledData | GroupedData:
    """`encoded` [n, F] stand for the inputs of labelled tasks where an encoder made features (or tokens) of them.

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
        shape = None if encoded is None else arrays.signature.inputs.example_shape
        return replace(data, encoded_shape=shape)
    if groups is None:
        raise ValueError("grouped tasks need a dataset with a task for every row, and this one has none")
    return GroupedData.from_arrays(
        arrays.inputs, arrays.targets, groups, columns=arrays.columns, classes=arrays.classes
    )
