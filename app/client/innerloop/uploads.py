"""Datasets on their way up: the media type of a file, and arrays as one npz file."""

import io
from pathlib import Path
from typing import Any

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
