"""Categories and order: a table's kinds become indices, its rows a sequence, and what cannot is said."""

from collections.abc import Callable
from datetime import date, datetime, time

import pytest

from services.datasets.examples import normalise
from services.datasets.limits import DatasetLimits
from services.datasets.readers.csv import read_csv
from services.datasets.readers.parquet import read_parquet
from services.datasets.records import DatasetColumns, LabelledArrays
from services.datasets.stored import decode_arrays, encode_arrays
from services.datasets.upload import Upload
from services.errors import Invalid
from tests.uploads import csv, parquet

LIMITS = DatasetLimits()
Read = Callable[[DatasetColumns, dict[str, list]], LabelledArrays]


def _parquet(columns: DatasetColumns, table: dict[str, list]) -> LabelledArrays:
    return normalise(read_parquet(Upload(parquet(**table)), columns, LIMITS), LIMITS)


def _csv(columns: DatasetColumns, table: dict[str, list]) -> LabelledArrays:
    lines = (",".join(map(str, row)) for row in zip(*table.values(), strict=True))
    return normalise(read_csv(Upload(csv(",".join(table), *lines)), columns, LIMITS), LIMITS)


TABLE = {
    "skill": [10, 9, 10, 100],
    "kind": ["b", "a", "a", "c"],
    "at": [3, 1, 2, 0],
    "who": ["x", "x", "y", "y"],
    "score": [0.5, 1.5, 2.5, 3.5],
}
COLUMNS = DatasetColumns(
    inputs=("skill", "kind", "at"), target="score", task="who", categorical=("skill", "kind"), order="at"
)


@pytest.mark.parametrize("read", [_parquet, _csv])
def test_categories_become_indices_and_rows_a_sequence(read: Read) -> None:
    arrays = read(COLUMNS, TABLE)
    assert [column.name for column in arrays.columns] == ["skill", "kind", "at"]
    assert [column.categories for column in arrays.columns] == [("9", "10", "100"), ("a", "b", "c"), ()]
    assert arrays.inputs.tolist() == [[2, 2, 0], [0, 0, 1], [1, 0, 2], [1, 1, 3]]
    assert arrays.targets.ravel().tolist() == [3.5, 1.5, 2.5, 0.5]
    assert arrays.task_names_of_examples is not None
    assert arrays.task_names_of_examples.tolist() == ["y", "x", "y", "x"]
    assert arrays.signature.columns == arrays.columns


def test_the_order_is_no_input_unless_it_is_named_as_one() -> None:
    arrays = _csv(DatasetColumns(target="score", task="who", categorical=("kind",), order="at"), TABLE)
    assert [column.name for column in arrays.columns] == ["skill", "kind"]


@pytest.mark.parametrize("read", [_parquet, _csv])
@pytest.mark.parametrize(
    ("late", "early"),
    [
        (date(2026, 1, 2), date(2025, 12, 31)),
        (datetime(2026, 1, 2, 3), datetime(2026, 1, 2, 2)),
        (time(10, 0), time(9, 30)),
    ],
)
def test_days_and_times_are_an_order(read: Read, late: object, early: object) -> None:
    table = {"x": [1, 2], "y": [0.5, 1.5], "at": [late, early]}
    assert read(DatasetColumns(target="y", order="at"), table).inputs.tolist() == [[2], [1]]


def test_what_columns_mean_is_kept() -> None:
    arrays = _parquet(COLUMNS, TABLE)
    assert decode_arrays(encode_arrays(arrays)).columns == arrays.columns


def _changed(**changes: object) -> DatasetColumns:
    plain = {"inputs": ("skill",), "target": "score", "task": "who"}
    return DatasetColumns(**{**plain, **changes})


@pytest.mark.parametrize("read", [_parquet, _csv])
@pytest.mark.parametrize(
    ("columns", "changes", "complaint"),
    [
        (_changed(categorical=("kind",)), {}, "categorical names 'kind', which is not an input"),
        (_changed(order="score"), {}, "not the target nor the task"),
        (_changed(order="missing"), {}, "has to be one column"),
        (_changed(order="kind"), {}, "kind"),
        (
            _changed(categorical=("skill",)),
            {"skill": ["x" * 300, "a", "a", "a"]},
            "a category may be 256 characters long",
        ),
    ],
)
def test_columns_that_do_not_go_together_are_refused(
    read: Read, columns: DatasetColumns, changes: dict[str, list], complaint: str
) -> None:
    with pytest.raises(Invalid, match=complaint):
        read(columns, {**TABLE, **changes})


@pytest.mark.parametrize("categorical", [(), ("kind",)])
def test_a_missing_value_is_named_with_what_to_do(categorical: tuple[str, ...]) -> None:
    name = "kind" if categorical else "skill"
    table = {**TABLE, name: [TABLE[name][0], None, TABLE[name][2], TABLE[name][3]]}
    with pytest.raises(Invalid, match=f"column '{name}' has no value in row 1 .from 0.: fill it, or leave"):
        _parquet(_changed(inputs=(name,), categorical=categorical), table)


def test_mixed_types_are_told_how_to_be_taken() -> None:
    with pytest.raises(Invalid, match="say categorical=kind"):
        _parquet(_changed(inputs=("skill", "kind")), TABLE)


def test_fractions_are_no_categories() -> None:
    with pytest.raises(Invalid, match="categories are strings, whole numbers or truth values"):
        _parquet(_changed(inputs=("half",), categorical=("half",)), {**TABLE, "half": [0.5, 1, 2, 3]})


def test_too_many_values_are_no_categories() -> None:
    count = 5000
    table = {"id": list(range(count)), "score": [0.5] * count}
    columns = DatasetColumns(inputs=("id",), target="score", categorical=("id",))
    with pytest.raises(Invalid, match="more than 4096 different values"):
        _parquet(columns, table)
