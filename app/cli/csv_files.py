"""Examples from a csv file: a header, then a row an example. Knows cells; no model but by its `columns`."""

import csv
import sys
from pathlib import Path
from typing import Any

from app.cli.columns import ModelColumns
from innerloop import InvalidInput

Cell = int | float | str

# No index of a kind: what a model takes for one that it does not know.
_UNKNOWN = -1


def scalar(cell: str) -> Cell:
    """A whole number, a number, or the text itself."""
    cell = cell.strip()
    for number in (int, float):
        try:
            return number(cell)
        except ValueError:
            continue
    return cell


def read_csv(
    path: Path, inputs: str | None, target: str | None, columns: ModelColumns, *, labelled: bool
) -> tuple[Any, list[Cell] | None, list[str]]:
    """Inputs, targets where there are some, and the names of the columns that the inputs are from.

    `inputs` names columns, comma-separated; the model's own unless given, else all but the target. Raises
    InvalidInput, naming column and row (the header is row 1).
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = list(csv.DictReader(file))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InvalidInput(f"{path.name} is no csv file in UTF-8: {error}") from error
    if not rows:
        raise InvalidInput(f"{path.name} has no rows below its header")
    present, target = list(rows[0]), target or "target"
    if labelled and target not in present:
        raise InvalidInput(
            f"{path.name} has no column {target!r} of targets: name it with --target; it has {_listed(present)}"
        )
    wanted = _wanted(path, inputs, [name for name in present if name != target], columns)
    targets = [scalar(row[target] or "") for row in rows] if labelled else None
    if len(wanted) == 1 and not columns.kinds and isinstance(scalar(rows[0][wanted[0]] or ""), str):
        return [row[wanted[0]] or "" for row in rows], targets, wanted
    cells = [
        [_number(path, row, number, name, columns) for name in wanted] for number, row in enumerate(rows, 2)
    ]
    return cells, targets, wanted


def _wanted(path: Path, inputs: str | None, others: list[str], columns: ModelColumns) -> list[str]:
    wanted = [name.strip() for name in inputs.split(",")] if inputs else list(columns.names) or others
    for name in wanted:
        if name not in others:
            of_model = "" if inputs or not columns.names else f", which the model takes ({_listed(wanted)})"
            raise InvalidInput(f"{path.name} has no column {name!r}{of_model}; it has {_listed(others)}")
    if columns.most and len(wanted) > columns.most:
        raise InvalidInput(
            f"{path.name} has {len(wanted)} input columns and the model takes {columns.most} at most: "
            "choose with --inputs"
        )
    return wanted


def _number(path: Path, row: dict[str, Any], line: int, name: str, columns: ModelColumns) -> Cell:
    written = (row[name] or "").strip()
    if not written:
        raise InvalidInput(
            f"{path.name}: column {name!r} is empty in row {line}: fill it, or leave the row out"
        )
    kinds = columns.kinds.get(name)
    if kinds is not None:
        if written in kinds:
            return kinds.index(written)
        print(
            f"{path.name}: row {line} has the {name} {written!r}, a kind unknown to the model",
            file=sys.stderr,
        )
        return _UNKNOWN
    cell = scalar(written)
    if isinstance(cell, str):
        raise InvalidInput(
            f"{path.name}: column {name!r} holds {cell!r} in row {line}, no number; choose with --inputs, "
            "one column where the model takes texts"
        )
    return cell


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
