"""Examples as the command line gives them: numbers or texts after an option, or a csv, json, npz or image file."""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

from app.cli.image_files import holds_images, labels_of, read_images
from innerloop import InvalidInput


class Examples(NamedTuple):
    """`targets` is None where only inputs were given. Values as the client takes them.

    `names` says of images which file each one is.
    """

    inputs: Any
    targets: Any
    names: list[str] | None = None


def parse_values(given: str, option: str) -> list[Any]:
    """`1,2,3` is three examples of one number; `0,1; 2,3` two examples of two; a JSON list is taken as it is.

    What is no number is a text (a label). Raises InvalidInput for nothing at all and for bad JSON.
    """
    if given.lstrip().startswith("["):
        try:
            values: list[Any] = json.loads(given)
        except ValueError as error:
            raise InvalidInput(f"{option} looks like JSON, but is none: {error}") from error
        return values
    if ";" in given:
        rows = [row for row in given.split(";") if row.strip()]
        return [[_scalar(cell) for cell in row.split(",")] for row in rows]
    values = [_scalar(cell) for cell in given.split(",") if cell.strip()]
    if not values:
        raise InvalidInput(f"{option} is empty")
    return values


def read_examples(path: Path, inputs: str | None, target: str | None, *, labelled: bool) -> Examples:
    """From a file, by its suffix.

    csv: `inputs` names columns (comma-separated; all but the target unless given) and `target` one (`target`
    unless given); a single input column may hold texts. json and npz: the members `inputs` and, where labelled,
    `targets`. Images: a folder or zip of them, where labelled in one folder a class; without labels a single one
    will do.
    """
    if holds_images(path):
        _only_for_tables(path, inputs, target)
        images = read_images(path)
        labels = labels_of(images, path) if labelled else None
        return Examples([image.content for image in images], labels, [str(image.path) for image in images])
    readers = {".csv": _from_csv, ".json": _from_json, ".npz": _from_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput(
            f"{path.name}: examples are .csv, .json or .npz files, or a folder or .zip of images"
        )
    found = reader(path, inputs, target)
    if labelled and found.targets is None:
        raise InvalidInput(f"{path.name} has no targets")
    return found


def _scalar(cell: str) -> int | float | str:
    cell = cell.strip()
    for number in (int, float):
        try:
            return number(cell)
        except ValueError:
            continue
    return cell


def _from_csv(path: Path, inputs: str | None, target: str | None) -> Examples:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise InvalidInput(f"{path.name} has no rows below its header")
    columns = list(rows[0])
    target = target or "target"
    wanted = [name.strip() for name in inputs.split(",")] if inputs else [c for c in columns if c != target]
    for name in wanted:
        if name not in columns:
            raise InvalidInput(f"{path.name} has no column {name!r}; it has {', '.join(columns)}")
    targets = [_scalar(row[target] or "") for row in rows] if target in columns else None
    values = [[_scalar(row[name] or "") for name in wanted] for row in rows]
    if len(wanted) == 1 and isinstance(values[0][0], str):
        return Examples([row[wanted[0]] or "" for row in rows], targets)
    for name, cell in zip(wanted, values[0], strict=True):
        if isinstance(cell, str):
            raise InvalidInput(
                f"{path.name}: column {name!r} holds {cell!r}, no number; choose with --inputs"
            )
    return Examples(values, targets)


def _from_json(path: Path, inputs: str | None, target: str | None) -> Examples:
    _only_for_tables(path, inputs, target)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(f"{path.name} is not JSON: {error}") from error
    if not isinstance(document, dict) or "inputs" not in document:
        raise InvalidInput(f'{path.name} has to be an object {{"inputs": […], "targets": […]}}')
    return Examples(document["inputs"], document.get("targets"))


def _from_npz(path: Path, inputs: str | None, target: str | None) -> Examples:
    _only_for_tables(path, inputs, target)
    import numpy

    try:
        with numpy.load(path, allow_pickle=False) as arrays:
            if "inputs" not in arrays:
                raise InvalidInput(f"{path.name} has no array `inputs`; it has {', '.join(arrays) or 'none'}")
            return Examples(arrays["inputs"], arrays.get("targets"))
    except ValueError as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}") from error


def _only_for_tables(path: Path, inputs: str | None, target: str | None) -> None:
    if inputs or target:
        raise InvalidInput(f"{path.name}: column names are for csv files")
