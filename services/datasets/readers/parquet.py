"""Parquet: a table whose columns have types. Knows the file's own account of its size, and asks it first.

A target column of floating point is a number to predict; strings, whole numbers and truth values are labels.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from services.datasets.examples import Examples
from services.datasets.limits import DatasetLimits
from services.datasets.readers.tables import (
    Chosen,
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
from services.errors import Invalid, TooLarge

_ROWS_AT_ONCE = 16_384


def read_parquet(upload: Upload, columns: DatasetColumns, limits: DatasetLimits) -> Examples:
    """The named columns of every row. Raises Invalid, TooLarge."""
    with upload.open() as file, _translated():
        # Labels stay a dictionary and codes: one long string a million times over is a small file.
        with pq.ParquetFile(file) as table:
            chosen = choose(columns, table.schema_arrow.names, limits)
            _check_declared(table.metadata, chosen, limits)
            worded = (*chosen.label_columns, *chosen.categorical)
            strings = [name for name in worded if is_text(table.schema_arrow.field(name).type)]
        file.seek(0)
        with pq.ParquetFile(file, read_dictionary=strings) as table:
            return _read(table, chosen, limits)


def _read(table: pq.ParquetFile, chosen: Chosen, limits: DatasetLimits) -> Examples:
    inputs, kept, n_rows = InputColumns(chosen, limits), [], 0
    for batch in table.iter_batches(_ROWS_AT_ONCE, columns=chosen.all):
        n_rows += batch.num_rows
        check_size(n_rows, len(chosen.inputs), limits)
        inputs.take(batch)
        kept.append(batch.select(chosen.kept))
    if not kept:
        raise Invalid("the table has no rows")
    rest = pa.Table.from_batches(kept)
    target = rest.column(chosen.target)
    if pa.types.is_floating(target.type):
        check_filled(target, chosen.target, 0)
        targets = target.to_numpy()
    else:
        targets = labels_of(target, chosen.target)
    tasks = None if chosen.task is None else labels_of(rest.column(chosen.task), chosen.task)
    numbers, meanings = inputs.finish()
    return Examples(numbers, targets, tasks, meanings, order_of(rest, chosen))


def _check_declared(metadata: pq.FileMetaData, chosen: Chosen, limits: DatasetLimits) -> None:
    check_size(metadata.num_rows, len(chosen.inputs), limits)
    wanted = set(chosen.all)
    total = 0
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for index in range(row_group.num_columns):
            column = row_group.column(index)
            if column.path_in_schema.split(".")[0] in wanted:
                total += column.total_uncompressed_size
    if total > limits.unpacked_bytes:
        raise TooLarge(f"the columns inflate to {total} bytes; at most {limits.unpacked_bytes} are taken")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Invalid(f"not a Parquet file that can be read: {error}") from error
