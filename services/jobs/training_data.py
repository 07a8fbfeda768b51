"""A dataset's arrays as the tensors that a family of tasks draws from. Imports torch; knows no row and no file."""

from models.spec import GroupSpec, LabelledSpec
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled_data import LabelledData
from services.datasets.records import LabelledArrays


def training_data(tasks: LabelledSpec | GroupSpec, arrays: LabelledArrays) -> LabelledData | GroupedData:
    """Raises ValueError where such tasks cannot be drawn from such arrays."""
    groups = arrays.task_names_of_examples
    if isinstance(tasks, LabelledSpec):
        return LabelledData.from_arrays(
            arrays.inputs, arrays.targets, groups, class_names=arrays.classes, table=arrays.signature
        )
    if groups is None:
        raise ValueError("grouped tasks need a dataset with a task for every row, and this one has none")
    return GroupedData.from_arrays(
        arrays.inputs, arrays.targets, groups, columns=arrays.columns, classes=arrays.classes
    )
