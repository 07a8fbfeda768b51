"""numpy's own archive: arrays `inputs` or `series`, `targets` and perhaps `tasks`. Pickled objects are never read.

`numpy.load` would believe an array's header before looking at how many bytes follow it, so the header is read
and compared here, and the numbers then taken as they are.
"""

import zipfile
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from services.datasets.examples import Examples
from services.datasets.labels import Labels, from_array
from services.datasets.limits import DatasetLimits
from services.datasets.readers.archive import DAMAGE, open_archive, read_exactly
from services.datasets.upload import Upload
from services.errors import Invalid

Array = np.ndarray[Any, Any]


def read_npz(upload: Upload, limits: DatasetLimits) -> Examples:
    """The three arrays; others are left alone. Raises Invalid, TooLarge.

    An array [n, A, B] may be gray images or series of B channels: which, its name says.
    """
    with open_archive(upload, limits, "npz file") as archive:
        members = {member.filename: member for member in archive.infolist()}
        arrays = {
            name: _array(archive, members[f"{name}.npy"], name)
            for name in ("inputs", "series", "targets", "tasks")
            if f"{name}.npy" in members
        }
    are_series = "series" in arrays
    if are_series and "inputs" in arrays:
        raise Invalid("the npz file has both 'inputs' and 'series'; examples are one or the other")
    for name in ("series" if are_series else "inputs", "targets"):
        if name not in arrays:
            found = ", ".join(member.removesuffix(".npy") for member in sorted(members)) or "nothing"
            raise Invalid(
                f"the npz file has no array {name!r}; it has {found}. Call the examples 'inputs' (or 'series'), "
                "their labels or numbers 'targets', and what tasks they are of, if any, 'tasks'"
            )
    tasks = from_array(arrays["tasks"], "tasks") if "tasks" in arrays else None
    inputs = arrays["series" if are_series else "inputs"]
    return Examples(inputs, _targets(arrays["targets"]), tasks, are_series=are_series)


def _targets(targets: Array) -> Labels | Array:
    return targets if targets.dtype.kind == "f" else from_array(targets, "targets")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Array:
    try:
        with archive.open(member) as file:
            shape, fortran_order, dtype = _header(file)
            if dtype.hasobject:
                raise Invalid(f"the array {name!r} holds pickled objects, which are never read")
            declared = int(np.prod(shape, dtype=object)) * dtype.itemsize
            if declared != member.file_size - file.tell() or min(shape, default=0) < 0:
                raise Invalid(f"the array {name!r} says another size than it has")
            flat = np.frombuffer(read_exactly(file, declared), dtype=dtype)
            return flat.reshape(shape, order="F" if fortran_order else "C")
    except DAMAGE as error:
        raise Invalid(f"the array {name!r} cannot be read: {error}") from error


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        if version == (1, 0):
            return npy.read_array_header_1_0(file)
        if version == (2, 0):
            return npy.read_array_header_2_0(file)
    except Exception as error:  # a header is Python text, and numpy's parser raises whatever that makes it
        raise ValueError(f"its header is not one: {error}") from error
    raise ValueError(f"version {version} of the format is for records, which no dataset here has")
