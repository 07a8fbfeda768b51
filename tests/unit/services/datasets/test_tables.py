"""Parquet and CSV: columns by name, numbers in, labels or numbers to predict."""

import datetime
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.datasets.examples import normalise
from services.datasets.limits import DatasetLimits
from services.datasets.readers.csv import read_csv
from services.datasets.readers.parquet import read_parquet
from services.datasets.records import DatasetColumns, LabelledArrays
from services.datasets.upload import Upload
from services.errors import Invalid, TooLarge
from tests.uploads import csv, parquet

LIMITS = DatasetLimits()
XY = DatasetColumns(inputs=("x",), target="y")
ALL_BUT_Y = DatasetColumns(target="y")


def _parquet(data: bytes, columns: DatasetColumns = XY, limits: DatasetLimits = LIMITS) -> LabelledArrays:
    return normalise(read_parquet(Upload(data), columns, limits), limits)


def _csv(data: bytes, columns: DatasetColumns = XY, limits: DatasetLimits = LIMITS) -> LabelledArrays:
    return normalise(read_csv(Upload(data), columns, limits), limits)


def test_parquet_columns_become_arrays() -> None:
    data = parquet(
        a=[1, 2, 3],
        b=[0.5, 1.5, 2.5],
        c=[True, False, True],
        who=["bo", "al", "bo"],
        y=["no", "yes", "no"],
        other=["not", "read", "at all"],
    )
    columns = DatasetColumns(inputs=("b", "a", "c"), target="y", task="who")
    arrays = _parquet(data, columns)
    assert arrays.inputs.tolist() == [[0.5, 1, 1], [1.5, 2, 0], [2.5, 3, 1]]
    assert arrays.classes == ("no", "yes")
    assert arrays.targets.tolist() == [0, 1, 0]
    assert arrays.task_names == ("al", "bo")
    assert arrays.tasks is not None
    assert arrays.tasks.tolist() == [1, 0, 1]


def test_csv_columns_become_arrays() -> None:
    data = csv("a,b,who,y,other", "1,0.5,bo,no,not", "2,1.5,al,yes,read", '3,2.5,bo,no,"at, all"')
    arrays = _csv(data, DatasetColumns(inputs=("b", "a"), target="y", task="who"))
    assert arrays.inputs.tolist() == [[0.5, 1], [1.5, 2], [2.5, 3]]
    assert (arrays.classes, arrays.targets.tolist()) == (("no", "yes"), [0, 1, 0])
    assert arrays.task_names == ("al", "bo")


def test_without_inputs_every_other_column_is_one() -> None:
    columns = DatasetColumns(target="y", task="t")
    for arrays in (
        _parquet(parquet(a=[1, 2], y=[0, 1], b=[3, 4], t=[5, 5]), columns),
        _csv(csv("a,y,b,t", "1,0,3,5", "2,1,4,5"), columns),
    ):
        assert arrays.inputs.tolist() == [[1, 3], [2, 4]]
        assert arrays.task_names == ("5",)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["10", "9", "10"], ("9", "10")),
        (["007", "7", "007"], ("007", "7")),
        (["a", "NA", "null"], ("NA", "a", "null")),
        (["1", "x", "1.5"], ("1", "1.5", "x")),
        (["true", "false", "true"], ("false", "true")),
    ],
)
def test_csv_labels_are_kept_as_written(values: list[str], classes: tuple[str, ...]) -> None:
    arrays = _csv(csv("x,y", *(f"0,{value}" for value in values)))
    assert arrays.classes == classes
    assert [arrays.classes[slot] for slot in arrays.targets] == values


def test_numbers_that_are_not_whole_are_to_be_predicted() -> None:
    for arrays in (_csv(csv("x,y", "1,0.5", "2,1")), _parquet(parquet(x=[1, 2], y=[0.5, 1.0]))):
        assert arrays.kind == "regression"
        assert arrays.targets.tolist() == [[0.5], [1]]


@pytest.mark.parametrize(
    "target",
    [
        pa.array([3, 1, 3], pa.int8()),
        pa.array(["3", "1", "3"], pa.large_string()),
        pa.array(["3", "1", "3"]).dictionary_encode(),
        pa.chunked_array([["3"], ["1", "3"]]),
    ],
)
def test_parquet_labels_of_every_kind(target: pa.Array) -> None:
    arrays = _parquet(parquet(x=[1, 2, 3], y=target))
    assert (arrays.classes, arrays.targets.tolist()) == (("1", "3"), [1, 0, 1])


def test_truth_values_are_labels() -> None:
    assert _parquet(parquet(x=[1, 2], y=[True, False])).classes == ("False", "True")


def test_many_row_groups_and_batches_are_one_table() -> None:
    n = 40_000
    labels = [f"label {row % 7}" for row in range(n)]
    file = io.BytesIO()
    pq.write_table(pa.table({"x": np.arange(n), "y": labels}), file, row_group_size=9_000)
    arrays = _parquet(file.getvalue())
    assert arrays.inputs[:, 0].tolist() == list(range(n))
    assert [arrays.classes[slot] for slot in arrays.targets] == labels
    lines = csv("x,y", *(f"{row},{label}" for row, label in enumerate(labels)))
    from_csv = _csv(lines + b" " * 0)
    np.testing.assert_array_equal(from_csv.inputs, arrays.inputs)
    np.testing.assert_array_equal(from_csv.targets, arrays.targets)


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    assert len(_csv(b"\xef\xbb\xbf" + csv("x,y", "1,a", "2,b")).inputs) == 2


def test_what_is_no_number_is_told_with_its_column_and_what_to_say_of_it() -> None:
    lines = csv("colour,x,y", "1,1,a", "2,NA,b", "3,2,b\n")
    with pytest.raises(Invalid, match=r"column 'x' holds 'NA' in row 1 \(from 0\).* say categorical=x if"):
        _csv(lines, DatasetColumns(target="y"))
    with pytest.raises(Invalid, match="column 'x' is not UTF-8"):
        _csv("x,y\ncaf\u00e9,a\ntea,b\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        (DatasetColumns(), "target"),
        (DatasetColumns(inputs=("x",), target="nope"), "no column 'nope'; it has 'x', 'y'"),
        (DatasetColumns(inputs=("nope",), target="y"), "no column 'nope'"),
        (DatasetColumns(inputs=("x",), target="y", task="nope"), "no column 'nope'"),
        (DatasetColumns(inputs=("x", "x"), target="y"), "twice"),
        (DatasetColumns(inputs=("x", "y"), target="y"), "twice"),
        (DatasetColumns(inputs=("x",), target="y", task="y"), "twice"),
        (DatasetColumns(target="y", task="x"), "no column is left"),
    ],
)
def test_columns_that_are_not_there_are_refused(columns: DatasetColumns, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        _parquet(parquet(x=[1, 2], y=[0, 1]), columns)
    with pytest.raises(Invalid, match=complaint):
        _csv(csv("x,y", "1,0", "2,1"), columns)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (("x,y", "nan,a", "2,b"), "example 0"),
        (("x,y", "1,a", "inf,b"), "example 1"),
        (("x,y", "1,a", "1e300,b"), "example 1"),
        (("x,y", "1,a", ",b"), "'x' has no value in row 1"),
        (("x,y", "1,a", "2,"), "'y' has no value in row 1"),
        (("x,y", "1,0.5", "2,"), "'y' has no value in row 1"),
        (("x,y", "1,0.5", "2,nan"), "targets must be finite"),
        (("x,y", "1,a", "2,a"), "'a'; at least two"),
        (("x,y",), "no rows"),
        (("x,y", "1,a,3", "2,b"), "columns"),
        (("x,x,y", "1,2,a", "3,4,b"), "more than one column 'x'"),
        (("x;y", "1;a"), "no column 'x'"),
        (("x,y", "1," + "n" * 300, "2,b"), "256 characters"),
    ],
)
def test_bad_csv_is_refused(lines: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        _csv(csv(*lines))


def test_columns_of_one_name_are_not_all_taken() -> None:
    with pytest.raises(Invalid, match="same name"):
        _csv(csv("x,x,y", "1,2,a", "3,4,b"), ALL_BUT_Y)


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe\x00x,y\n1,2", b"\x00\x01\x02"])
def test_what_is_no_csv_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        _csv(data)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"x": [[1.0], [2.0]], "y": [0, 1]}, "input column 'x' holds list"),
        ({"x": [datetime.date(2026, 1, 1)] * 2, "y": [0, 1]}, "input column 'x' holds date"),
        ({"x": [1, None], "y": [0, 1]}, "'x' has no value in row 1"),
        ({"x": [1.0, float("nan")], "y": [0, 1]}, "example 1"),
        ({"x": [1, 2], "y": ["a", None]}, "'y' has no value in row 1"),
        ({"x": [1, 2], "y": [0.5, None]}, "'y' has no value in row 1"),
        ({"x": [1, 2], "y": [datetime.date(2026, 1, 1)] * 2}, "labels are strings or whole numbers"),
        ({"x": [1, 2], "y": [b"a", b"b"]}, "labels are strings or whole numbers"),
        ({"x": [1, 2], "y": [5, 5]}, "at least two"),
        ({"x": pa.array([], pa.int64()), "y": pa.array([], pa.string())}, "no rows"),
    ],
)
def test_bad_parquet_is_refused(table: dict[str, object], complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        _parquet(parquet(**table))


def test_tasks_are_not_fractions() -> None:
    with pytest.raises(Invalid, match="column 't' holds double"):
        _parquet(
            parquet(x=[1, 2], y=[0, 1], t=[0.5, 0.5]), DatasetColumns(inputs=("x",), target="y", task="t")
        )


def test_a_missing_value_is_named_by_its_row_in_the_whole_table() -> None:
    n = 20_000
    values: list[int | None] = list(range(n))
    values[17_000] = None
    with pytest.raises(Invalid, match="row 17000 "):
        _parquet(parquet(x=values, y=np.arange(n)))


def test_what_is_no_parquet_is_refused() -> None:
    whole = parquet(x=[1, 2], y=["a", "b"])
    for data in (b"", b"hello", b"PAR1PAR1", whole[:-1], whole[:4] + b"\xff" * 200 + whole[204:]):
        with pytest.raises(Invalid, match="Parquet"):
            _parquet(data)


def test_limits() -> None:
    by_rows = DatasetLimits(examples=4)
    by_size = DatasetLimits(unpacked_bytes=16)
    for limits in (by_rows, by_size):
        with pytest.raises(TooLarge):
            _parquet(parquet(x=[1, 2, 3, 4, 5], y=[1, 2, 3, 4, 5]), limits=limits)
        with pytest.raises(TooLarge):
            _csv(csv("x,y", *(f"{row},{row}" for row in range(5))), limits=limits)
    with pytest.raises(Invalid, match="at most 1"):
        _csv(csv("a,b,y", "1,2,3"), ALL_BUT_Y, DatasetLimits(input_width=1))


def test_one_long_label_a_million_times_over_does_not_fill_the_memory() -> None:
    n = 200_000
    codes = pa.array(np.arange(n) % 2, pa.int32())
    long = pa.DictionaryArray.from_arrays(codes, ["x" * 100_000, "y"])
    file = io.BytesIO()
    # Without the schema of the writer, the column reads as a plain string.
    pq.write_table(pa.table({"x": np.zeros(n, dtype=np.int8), "y": long}), file, store_schema=False)
    assert len(file.getvalue()) < 1_000_000
    with pytest.raises(Invalid, match="256 characters"):
        _parquet(file.getvalue())
    peak = pa.default_memory_pool().max_memory()
    assert peak is not None
    assert peak < 500_000_000  # all of it written out would be 10 GB
