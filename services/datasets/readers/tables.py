"""What Parquet and CSV share: which columns are inputs, target and task, and what may be in them."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.spec import ColumnSpec
from services.datasets import labels
from services.datasets.labels import Labels
from services.datasets.limits import DatasetLimits
from services.datasets.readers.categories import Categories
from services.datasets.records import DatasetColumns
from services.errors import Invalid, TooLarge

Array = np.ndarray[Any, Any]


class Chosen(NamedTuple):
    """The columns to read, all present in the table, none twice."""

    inputs: tuple[str, ...]
    target: str
    task: str | None
    categorical: tuple[str, ...] = ()
    order: str | None = None

    @property
    def all(self) -> list[str]:
        return list(dict.fromkeys((*self.inputs, *self.kept)))

    @property
    def kept(self) -> list[str]:
        """Those that stay columns until the end; the order may be an input too."""
        return self.label_columns if self.order is None else [*self.label_columns, self.order]

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
    if columns.order is not None:
        if present.count(columns.order) != 1 or columns.order in (columns.target, columns.task):
            raise Invalid(
                f"order names {columns.order!r}: it has to be one column, not the target nor the task"
            )
        named = (*named, columns.order)
    inputs = columns.inputs or tuple(name for name in present if name not in named)
    if unknown := [name for name in columns.categorical if name not in inputs]:
        raise Invalid(
            f"categorical names {unknown[0]!r}, which is not an input; inputs are {_listed(list(inputs))}"
        )
    if not inputs:
        raise Invalid("no column is left to be an input")
    if len(set(inputs)) < len(inputs):
        raise Invalid("the table has columns of the same name: say which are inputs")
    if len(inputs) > limits.input_width:
        raise Invalid(f"{len(inputs)} input columns; at most {limits.input_width} are taken")
    return Chosen(inputs, columns.target, columns.task, columns.categorical, columns.order)


def check_size(n_rows: int, n_inputs: int, limits: DatasetLimits) -> None:
    """Raise TooLarge for more rows, or more numbers in them, than are taken."""
    if n_rows > limits.examples:
        raise TooLarge(f"more than {limits.examples} rows")
    if n_rows * n_inputs * 4 > limits.unpacked_bytes:
        raise TooLarge(f"the inputs take more than {limits.unpacked_bytes} bytes")


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class InputColumns:
    """The inputs of a table, batch after batch."""

    def __init__(self, chosen: Chosen, limits: DatasetLimits) -> None:
        self._names = chosen.inputs
        self._categories = {
            name: Categories(name, limits.label_characters)
            for name in chosen.inputs
            if name in chosen.categorical
        }
        self._batches: list[Array] = []
        self._rows = 0

    def take(self, batch: pa.RecordBatch) -> None:
        """The next rows. Raises Invalid, naming the row where a value is missing."""
        if self._are_texts(batch):
            self._batches.append(_texts_of(batch.column(self._names[0]), self._names[0], self._rows))
            self._rows += batch.num_rows
            return
        numbers = [self._column(batch.column(name), name) for name in self._names]
        self._batches.append(np.stack(numbers, axis=1))
        self._rows += batch.num_rows

    def finish(self) -> tuple[Array, tuple[ColumnSpec, ...]]:
        """Float32 [n, D], and what each column means; texts, objects [n], mean what they say."""
        inputs = np.concatenate(self._batches)
        if inputs.dtype == np.object_:
            return inputs, ()
        columns = tuple(
            self._categories[name].finish(inputs[:, place])
            if name in self._categories
            else ColumnSpec(name=name)
            for place, name in enumerate(self._names)
        )
        return inputs, columns

    def _are_texts(self, batch: pa.RecordBatch) -> bool:
        """A single column of strings that are not kinds."""
        alone = len(self._names) == 1 and self._names[0] not in self._categories
        return alone and is_text(batch.column(self._names[0]).type)

    def _column(self, column: pa.Array, name: str) -> Array:
        check_filled(column, name, self._rows)
        if name in self._categories:
            return self._categories[name].take(column)
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise Invalid(
                f"input column {name!r} holds {kind}, not numbers: say categorical={name} if its values are kinds; "
                "texts are taken as the only input"
            )
        numbers = column.to_numpy(zero_copy_only=False)
        with np.errstate(over="ignore"):  # what does not fit a float becomes infinite, and is refused later
            narrow: Array = numbers.astype(np.float32)
        return narrow


def order_of(table: pa.Table, chosen: Chosen) -> Array | None:
    """Float64 [n] of the order column, None where there is none. Raises Invalid."""
    if chosen.order is None:
        return None
    column = table.column(chosen.order)
    check_filled(column, chosen.order, 0)
    kind = column.type
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        column, kind = column.cast(pa.int32()), pa.int32()
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        column, kind = column.cast(pa.int64()), pa.int64()
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise Invalid(f"the order column {chosen.order!r} holds {kind}: it has to be numbers or times")
    order: Array = column.to_numpy().astype(np.float64)
    return order


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
        raise Invalid(
            f"column {name!r} has no value in row {row} (from 0): fill it, or leave the row or the column out"
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
