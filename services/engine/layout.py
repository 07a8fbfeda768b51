"""How one shape of adapted parameters lies in memory and in a file. Knows bytes and views; holds no parameters.

The float32 numbers of an adapted model are one flat row, in the order of its safetensors file: so a file is a
header that every model of the shape shares, followed by the row as it is, and a batch of models is one gather.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import prod

import msgspec
import numpy as np
import torch
from torch import Tensor

from services.errors import Invalid
from services.storage.tensor_file import encode_tensors

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
"""Names and shapes of one task's adapted parameters."""

Row = np.ndarray[tuple[int], np.dtype[np.float32]]

_PREFIX = 8  # the header's length, an unsigned little-endian 64-bit number


class _Entry(msgspec.Struct, frozen=True):
    """One tensor in a safetensors header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class Layout:
    """One shape of adapted parameters; `width` is P, the numbers of a row. Equal where the headers are."""

    def __init__(self, header: bytes) -> None:
        """`header` is the file's head, with its length. Raises Invalid where it is not plain float32."""
        try:
            entries = msgspec.json.decode(header[_PREFIX:], type=dict[str, _Entry])
        except msgspec.DecodeError as error:
            raise Invalid("not a safetensors file of adapted parameters") from error
        self.header = header
        self._places: dict[str, tuple[int, int, tuple[int, ...]]] = {}
        end = 0
        for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
            start, stop = entry.data_offsets
            if entry.dtype != "F32" or start != end or stop - start != 4 * prod(entry.shape):
                raise Invalid(f"{name} is not float32 right behind what comes before it")
            self._places[name] = (start // 4, stop // 4, entry.shape)
            end = stop
        self.width = end // 4

    def file_of(self, row: Row) -> bytes:
        """The safetensors file of a row."""
        return self.header + row.tobytes()

    def flat(self, params: Mapping[str, Tensor]) -> Tensor:
        """The row [P] of one task's parameters."""
        return torch.cat([params[name].reshape(-1) for name in self._places])

    def part(self, rows: Tensor, name: str) -> Tensor | None:
        """One parameter of rows [M, P], a view with a leading M; None where there is none of the name."""
        if name not in self._places:
            return None
        start, stop, shape = self._places[name]
        return rows[:, start:stop].view(len(rows), *shape)

    def view(self, row: Tensor) -> dict[str, Tensor]:
        """The parameters by name of a row [P]; views of it. Of rows [M, P], with a leading M."""
        lead = row.shape[:-1]
        return {
            name: row[..., start:stop].view((*lead, *shape))
            for name, (start, stop, shape) in self._places.items()
        }


@lru_cache(maxsize=1024)
def layout_of(shapes: Shapes) -> Layout:
    """The layout of parameters of these names and shapes."""
    file = encode_tensors({name: np.zeros(shape, np.float32) for name, shape in shapes})
    return _known(_header_of(file))


def read_row(file: bytes) -> tuple[Layout, Row]:
    """A file's layout, and its row, a view of the file. Raises Invalid."""
    header = _header_of(file)
    layout = _known(header)
    if len(file) != len(header) + 4 * layout.width:
        raise Invalid("the file's numbers are not as many as its header says")
    return layout, np.frombuffer(file, np.dtype("<f4"), offset=len(header))


def _header_of(file: bytes) -> bytes:
    return file[: _PREFIX + int.from_bytes(file[:_PREFIX], "little")]


@lru_cache(maxsize=1024)
def _known(header: bytes) -> Layout:
    return Layout(header)
