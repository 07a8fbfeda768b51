"""CSV: comma-separated, UTF-8, the first line names the columns. Columns have no types, so the values decide.

Inputs are numbers, or one column of texts. A target that is whole numbers throughout, or not numbers, is a label;
else it is a number to predict.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv

from services.datasets.examples import Examples
from services.datasets.labels import Labels
from services.datasets.limits import DatasetLimits
from services.datasets.readers.tables import (
    InputColumns,
    check_filled,
    check_size,
    choose,
    is_text,
    labels_of,
    order_of,
)
from services.datasets.records import DatasetColumns
from services.datasets.upload import Upload
from services.errors import Invalid

Array = np.ndarray[Any, Any]

# pyarrow's; rows count from 1, the header.
_NO_NUMBER = re.compile(
    r"CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to double: invalid value '(.*)'"
)


def read_csv(upload: Upload, columns: DatasetColumns, limits: DatasetLimits) -> Examples:
    """The named columns of every line. Raises Invalid, TooLarge."""
    with _translated():
        with upload.open() as file, pv.open_csv(file) as reader:
            chosen = choose(columns, reader.schema.names, limits)
            # A single column that does not begin with numbers is one of texts.
            texts = len(chosen.inputs) == 1 and is_text(reader.schema.field(chosen.inputs[0]).type)
            names = reader.schema.names
            _check_encoding(reader.schema, chosen.all)
        types = dict.fromkeys(chosen.inputs, pa.string() if texts else pa.float64())
        types |= dict.fromkeys((*chosen.label_columns, *chosen.categorical), pa.string())
        # By default words like NA and null are missing values too; here they may be labels.
        options = pv.ConvertOptions(
            include_columns=chosen.all, column_types=types, null_values=[""], strings_can_be_null=True
        )
        inputs, kept, n_rows = InputColumns(chosen, limits), [], 0
        one = pv.ReadOptions(use_threads=False)  # several do not know the row of what they cannot read
        with upload.open() as file, _named(names), pv.open_csv(file, one, None, options) as reader:
            for batch in reader:
                n_rows += batch.num_rows
                check_size(n_rows, len(chosen.inputs), limits)
                inputs.take(batch)
                kept.append(batch.select(chosen.kept))
        if n_rows == 0:
            raise Invalid("the table has no rows")
        rest = pa.Table.from_batches(kept)
        targets = _targets(rest.column(chosen.target), chosen.target)
        tasks = None if chosen.task is None else labels_of(rest.column(chosen.task), chosen.task)
        numbers, meanings = inputs.finish()
        return Examples(numbers, targets, tasks, meanings, order_of(rest, chosen))


def _targets(column: pa.ChunkedArray, name: str) -> Labels | Array:
    if _casts(column, pa.int64()) is None:
        numbers = _casts(column, pa.float64())
        if numbers is not None:
            check_filled(numbers, name, 0)
            return np.asarray(numbers.to_numpy())
    return labels_of(column, name)


def _casts(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return None


def _check_encoding(schema: pa.Schema, names: list[str]) -> None:
    for name in names:
        if pa.types.is_binary(schema.field(name).type):
            raise Invalid(f"column {name!r} is not UTF-8: save the file in that encoding")


@contextmanager
def _named(names: list[str]) -> Iterator[None]:
    """Inputs alone are converted; what is no number is told with its column and row."""
    try:
        yield
    except pa.ArrowInvalid as error:
        found = _NO_NUMBER.search(str(error))
        if found is None:
            raise
        column, row, value = names[int(found[1])], found[2], found[3][:40]
        place = f" in row {int(row) - 2} (from 0)" if row else ""
        raise Invalid(
            f"input column {column!r} holds {value!r}{place}, and inputs have to be numbers: say "
            f"categorical={column} if its values are kinds, leave out rows that lack one, or say which columns to "
            "take with inputs=…, a single one if it holds texts"
        ) from error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Invalid(f"not a CSV file that can be read: {error}") from error
