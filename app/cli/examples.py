"""Examples as the command line gives them: numbers or texts after an option, or a csv, json, npz or image file."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from app.cli.columns import ModelColumns
from app.cli.csv_files import read_csv, scalar
from app.cli.image_files import holds_images, labels_of, read_images
from innerloop import InvalidInput


class Examples(NamedTuple):
    """`targets` is None where only inputs were given. Values as the client takes them.

    `names` says of images which file each one is; `columns` of a csv file which columns the inputs are from.
    """

    inputs: Any
    targets: Any
    names: list[str] | None = None
    columns: list[str] | None = None


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
        return [[scalar(cell) for cell in row.split(",")] for row in rows]
    values = [scalar(cell) for cell in given.split(",") if cell.strip()]
    if not values:
        raise InvalidInput(f"{option} is empty")
    return values


def is_csv(path: Path | None) -> bool:
    """Whether a model's columns matter to reading it. Raises OSError where there is no such csv file."""
    if path is None or path.suffix.lower() != ".csv":
        return False
    path.stat()
    return True


def read_examples(
    path: Path,
    inputs: str | None,
    target: str | None,
    columns: ModelColumns = ModelColumns(),
    *,
    labelled: bool,
) -> Examples:
    """From a file, by its suffix.

    csv: `inputs` names columns (comma-separated; unless given those of the model, where it knows theirs, else all
    but the target) and `target` one (`target` unless given); a single input column may hold texts. json and npz:
    the members `inputs` and, where labelled, `targets`. Images: a folder or zip of them, where labelled in one
    folder a class; without labels a single one will do.
    """
    if holds_images(path):
        _only_for_tables(path, inputs, target)
        images = read_images(path)
        labels = labels_of(images, path) if labelled else None
        return Examples([image.content for image in images], labels, [str(image.path) for image in images])
    if is_csv(path):
        found_inputs, targets, names = read_csv(path, inputs, target, columns, labelled=labelled)
        return Examples(found_inputs, targets, columns=names)
    readers = {".json": _from_json, ".npz": _from_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput(
            f"{path.name}: examples are .csv, .json or .npz files, or a folder or .zip of images"
        )
    found = reader(path, inputs, target)
    if labelled and found.targets is None:
        raise InvalidInput(f"{path.name} has no targets")
    return found


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
