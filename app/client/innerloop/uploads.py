"""Datasets on their way up: the media type of a file, and arrays as one npz file."""

import csv
import io
from pathlib import Path
from typing import Any, NamedTuple

from .errors import InvalidInput

MEDIA_TYPES = {
    ".zip": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".npz": "application/x-npz",
}


def media_type_of(source: bytes | Path, given: str | None) -> str:
    """The given type, else by the file's suffix. Raises InvalidInput where neither tells."""
    if given is not None:
        return given
    if isinstance(source, bytes):
        raise InvalidInput("bytes have no suffix: say media_type=, one of " + ", ".join(MEDIA_TYPES.values()))
    media_type = MEDIA_TYPES.get(source.suffix.lower())
    if media_type is None:
        known = ", ".join(MEDIA_TYPES)
        raise InvalidInput(f"{source.name}: datasets are {known} files; say media_type= for other suffixes")
    return media_type


def name_of(source: bytes | Path, given: str | None) -> str:
    """The given name, else the file's own without its suffix."""
    if given is not None:
        return given
    if isinstance(source, bytes):
        raise InvalidInput("bytes have no name: say name=")
    return source.stem


class ArraysFile(NamedTuple):
    """Arrays as a file, and what `upload` has to be told of it."""

    content: bytes
    told: dict[str, str]


def arrays_file(inputs: Any, targets: Any, tasks: Any = None, *, series: bool = False) -> ArraysFile:
    """Arrays as npz, or where the inputs are a list of texts, as a csv table. Raises InvalidInput."""
    if isinstance(inputs, list | tuple) and inputs and all(isinstance(text, str) for text in inputs):
        names = {"inputs": "text", "target": "target", **({} if tasks is None else {"task": "task"})}
        columns = [inputs, list(targets), *([] if tasks is None else [list(tasks)])]
        if len({len(column) for column in columns}) > 1:
            counts = (f"{len(column)} {name}" for name, column in zip(names, columns, strict=True))
            raise InvalidInput(f"as many of each are needed: {', '.join(counts)}")
        lines = io.StringIO(newline="")
        csv.writer(lines).writerows([list(names.values()), *zip(*columns, strict=True)])
        return ArraysFile(lines.getvalue().encode(), {"media_type": MEDIA_TYPES[".csv"], **names})
    return ArraysFile(npz(inputs, targets, tasks, series=series), {"media_type": MEDIA_TYPES[".npz"]})


def npz(inputs: Any, targets: Any, tasks: Any = None, *, series: bool = False) -> bytes:
    """Arrays as one compressed npz file, without pickled objects. Needs numpy.

    inputs: [N, …] numbers, [N, T] or [N, T, C] where they are `series`;
    targets: [N] labels or numbers, or [N, T] numbers; tasks: [N] names or integers.
    """
    try:
        import numpy
    except ImportError as error:
        raise InvalidInput(
            "uploading arrays needs numpy; upload a csv, parquet or zip file without it"
        ) from error
    arrays = {}
    for name, given in {"series" if series else "inputs": inputs, "targets": targets, "tasks": tasks}.items():
        if given is None:
            continue
        try:
            values = numpy.asarray(given)
        except ValueError as error:
            raise InvalidInput(f"{name} is ragged: {error}") from error
        if values.dtype.hasobject and all(isinstance(value, str) for value in values.flat):
            values = values.astype(str)  # a column of a data frame: strings kept as objects
        if values.dtype.hasobject:
            raise InvalidInput(f"{name} holds objects: a dataset holds numbers or strings")
        arrays[name] = values
    file = io.BytesIO()
    numpy.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()
