"""A dataset as this service keeps it: one npz of plain arrays, whatever it was uploaded as.

Equal arrays make equal bytes. Names and texts are JSON in a byte array: numpy's own strings lose trailing NULs and
take the longest one's room for every one.
"""

import io
from typing import Any

import msgspec
import numpy as np

from models.spec import ColumnSpec
from services.datasets.records import LabelledArrays

Array = np.ndarray[Any, Any]


class _Names(msgspec.Struct, frozen=True):
    classes: tuple[str, ...]
    tasks: tuple[str, ...]
    columns: tuple[ColumnSpec, ...] = ()


def encode_arrays(arrays: LabelledArrays) -> bytes:
    """The npz file."""
    names = msgspec.json.encode(_Names(arrays.classes, arrays.task_names, arrays.columns))
    texts = msgspec.json.encode(arrays.inputs.tolist()) if arrays.is_text else None
    members = {
        **({"inputs": arrays.inputs} if texts is None else {"texts": np.frombuffer(texts, dtype=np.uint8)}),
        "targets": arrays.targets,
        "names": np.frombuffer(names, dtype=np.uint8),
    }
    if arrays.tasks is not None:
        members["tasks"] = arrays.tasks
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **members)
    return file.getvalue()


def decode_arrays(data: bytes) -> LabelledArrays:
    """What `encode_arrays` was given."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        members: dict[str, Array] = {name: file[name] for name in file.files}
    names = msgspec.json.decode(members["names"].tobytes(), type=_Names)
    return LabelledArrays(
        inputs=members["inputs"] if "inputs" in members else _texts(members["texts"]),
        targets=members["targets"],
        classes=names.classes,
        tasks=members.get("tasks"),
        task_names=names.tasks,
        columns=names.columns,
    )


def _texts(encoded: Array) -> Array:
    found = msgspec.json.decode(encoded.tobytes(), type=list[str])
    texts = np.empty(len(found), dtype=object)
    texts[:] = found
    return texts
