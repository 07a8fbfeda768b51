"""What Parquet and CSV share: which columns are inputs, target and task, and what may be in them."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.datasets import labels
from services.datasets.labels import Labels
from services.datasets.limits import DatasetLimits
from services.datasets.records import DatasetColumns
from services.errors import Invalid, TooLarge

Array = np.ndarray[Any, Any]


class Chosen(NamedTuple):
    """The columns to read, all present in the table, none twice."""

    inputs: tuple[str, ...]
    target: str
    task: str | None

    @property
    def all(self) -> list[str]:
        return [*self.inputs, *self.label_columns]

    @property
    def label_columns(self) -> list[str]:
        return [self.target] if self.task is None else [self.target, self.task]


def choose(columns: DatasetColumns, present: list[str], limits: DatasetLimits) -> Chosen:
    """The columns that were named, and for inputs all others where none were. Raises Invalid."""
    if columns.target is None:
        raise Invalid(f"name the column to predict: ?target=…; the table has {_listed(present)}")
    named = (*columns.inputs, columns.target, *((columns.task,) if columns.task is not None else ()))
    for name in named:
        if name not in present:
            raise Invalid(f"the table has no column {name!r}; it has {_listed(present)}")
        if present.count(name) > 1:
            raise Invalid(f"the table has more than one column {name!r}")
        if named.count(name) > 1:
            raise Invalid(f"column {name!r} was named twice: an input cannot also be the target or the task")
    inputs = columns.inputs or tuple(name for name in present if name not in named)
    if not inputs:
        raise Invalid("no column is left to be an input")
    if len(set(inputs)) < len(inputs):
        raise Invalid("the table has columns of the same name: say which are inputs")
    if len(inputs) > limits.input_width:
        raise Invalid(f"{len(inputs)} input columns; at most {limits.input_width} are taken")
    return Chosen(inputs, columns.target, columns.task)


def check_size(n_rows: int, n_inputs: int, limits: DatasetLimits) -> None:
    """Raise TooLarge for more rows, or more numbers in them, than are taken."""
    if n_rows > limits.examples:
        raise TooLarge(f"more than {limits.examples} rows")
    if n_rows * n_inputs * 4 > limits.unpacked_bytes:
        raise TooLarge(f"the inputs take more than {limits.unpacked_bytes} bytes")


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def inputs_of(batch: pa.RecordBatch, chosen: Chosen, first_row: int) -> Array:
    """Float32 [rows, D] of a batch whose first row is the table's `first_row`; texts [rows]. Raises Invalid."""
    if len(chosen.inputs) == 1 and is_text(batch.column(chosen.inputs[0]).type):
        return _texts_of(batch.column(chosen.inputs[0]), chosen.inputs[0], first_row)
    columns = []
    for name in chosen.inputs:
        column = batch.column(name)
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise Invalid(
                f"input column {name!r} holds {kind}, not numbers; say which columns are inputs: numbers, or one "
                "column of texts"
            )
        check_filled(column, name, first_row)
        numbers = column.to_numpy(zero_copy_only=False)
        with np.errstate(over="ignore"):  # what does not fit a float becomes infinite, and is refused later
            columns.append(numbers.astype(np.float32))
    return np.stack(columns, axis=1)


def _texts_of(column: pa.Array, name: str, first_row: int) -> Array:
    check_filled(column, name, first_row)
    texts = np.empty(len(column), dtype=object)
    texts[:] = column.to_pylist()
    return texts


def labels_of(column: pa.ChunkedArray, name: str) -> Labels:
    """Labels from a column of strings, whole numbers or truth values. Raises Invalid."""
    check_filled(column, name, 0)
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return labels.from_array(column.to_numpy(), f"column {name!r}")
    value_kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(value_kind) or pa.types.is_large_string(value_kind)):
        raise Invalid(f"column {name!r} holds {kind}; labels are strings or whole numbers")
    coded = column if pa.types.is_dictionary(kind) else column.dictionary_encode()
    whole = coded.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # a table without rows has no chunk to combine
        return Labels(np.empty(0, dtype=np.int64), ())
    codes = whole.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return labels.from_names(codes, whole.dictionary.to_pylist())


def check_filled(column: pa.Array | pa.ChunkedArray, name: str, first_row: int) -> None:
    """Raise Invalid, naming the row, where a value is missing."""
    if column.null_count:
        row = first_row + pc.index(pc.is_null(column), True).as_py()
        raise Invalid(f"column {name!r} has no value in row {row} (from 0)")


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
