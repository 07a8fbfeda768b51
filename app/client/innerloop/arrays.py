"""Reads the arrays of other libraries without importing any of them.

numpy, torch and Pillow are looked up among the modules already imported: a value of theirs cannot exist before.
"""

import ctypes
import sys
from array import array
from dataclasses import dataclass
from typing import Any

from .errors import InvalidInput

_BOOLEANS = ("bool", "torch.bool")
TYPECODES = {"FP32": "f", "INT64": "q", "UINT8": "B"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """An Open Inference Protocol tensor: `data` is row-major and little-endian."""

    datatype: str
    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of_native(cls, datatype: str, shape: tuple[int, ...], data: bytes) -> "Tensor":
        """From bytes in this machine's own order."""
        return cls(datatype, shape, _swapped(datatype, data))

    def elements(self) -> list[Any]:
        """Every element in row-major order, as Python numbers."""
        numbers = array(TYPECODES[self.datatype])
        numbers.frombytes(_swapped(self.datatype, self.data))
        return numbers.tolist()

    def as_json(self) -> dict[str, Any]:
        """The tensor object with its elements written out."""
        return {"datatype": self.datatype, "shape": list(self.shape), "data": self.elements()}


def from_library(values: Any, place: str) -> Tensor | list[Any] | None:
    """A torch or numpy array, or whatever says `__array__` (pandas, jax), as a tensor; strings as a list.

    None for what is not an array at all. Raises InvalidInput for an array that cannot be examples.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values, torch.Tensor):
        return _from_torch(torch, values, place)
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(values, "__array__") or is_picture(values):
        return None
    return _from_numpy(numpy, numpy.asarray(values), place)


def stack(examples: list[Any], place: str) -> Tensor | None:
    """The tensor of a list that holds one array an example; None where the first is no array with rows."""
    parts: list[Tensor] = []
    for i, example in enumerate(examples):
        rows = bool(getattr(example, "ndim", 0))
        part = from_library(example, f"{place}[{i}]") if rows else None
        if i == 0 and not isinstance(part, Tensor):
            return None
        first = parts[0] if parts else part
        if not isinstance(part, Tensor) or not isinstance(first, Tensor):
            raise InvalidInput(f"{place}[{i}] is {type(example).__name__}, but {place}[0] is an array")
        if (part.datatype, part.shape) != (first.datatype, first.shape):
            raise InvalidInput(
                f"{place}[{i}] is {part.datatype} {list(part.shape)}, "
                f"but {place}[0] is {first.datatype} {list(first.shape)}"
            )
        parts.append(part)
    return Tensor(parts[0].datatype, (len(parts), *parts[0].shape), b"".join(part.data for part in parts))


def holds_booleans(values: Any) -> bool:
    """Whether this is an array of them, or a list that begins with one."""
    datatype = getattr(values, "dtype", None)
    if datatype is not None:
        return str(datatype) in _BOOLEANS
    first = values[0] if isinstance(values, list | tuple) and values else None
    return isinstance(first, bool) or str(getattr(first, "dtype", "")) in _BOOLEANS


def is_picture(value: Any) -> bool:
    """Whether this is a Pillow image (one says `__array__` too, but is sent as a file)."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def _from_numpy(numpy: Any, values: Any, place: str) -> Tensor | list[Any]:
    _refuse_scalar(values.ndim, place)
    kind = values.dtype.kind
    if kind in "UO":
        items: list[Any] = values.tolist()
        return items
    if kind in "fb":
        datatype, little = "FP32", "<f4"
    elif kind in "iu":
        datatype, little = ("UINT8", "|u1") if values.dtype == numpy.uint8 else ("INT64", "<i8")
        if values.dtype == numpy.uint64 and values.size and values.max() > numpy.iinfo(numpy.int64).max:
            raise InvalidInput(f"{place} holds a number too large for INT64")
    else:
        raise InvalidInput(f"{place} holds {values.dtype}: tensors hold numbers")
    with numpy.errstate(
        over="ignore"
    ):  # what is too large for FP32 is infinite there, and refused by the service
        data = values.astype(little).tobytes()
    return Tensor(datatype, tuple(values.shape), data)


def _from_torch(torch: Any, values: Any, place: str) -> Tensor:
    _refuse_scalar(values.dim(), place)
    if values.is_complex():
        raise InvalidInput(f"{place} holds complex numbers: tensors hold real ones")
    if values.dtype == torch.uint8:
        datatype = "UINT8"
    elif values.is_floating_point() or values.dtype == torch.bool:
        datatype, values = "FP32", values.to(torch.float32)
    else:
        datatype, values = "INT64", values.to(torch.int64)
    values = values.detach().cpu().contiguous()
    # torch alone offers no bytes; numpy would, but need not be installed. The tensor outlives the copy.
    data = ctypes.string_at(values.data_ptr(), values.nbytes) if values.numel() else b""
    return Tensor.of_native(datatype, tuple(values.shape), data)


def _refuse_scalar(dimensions: int, place: str) -> None:
    if dimensions == 0:
        raise InvalidInput(f"{place} is a single number: it has to hold one row an example")


def _swapped(datatype: str, data: bytes) -> bytes:
    """From this machine's byte order to little-endian, or back."""
    if sys.byteorder == "little":
        return data
    numbers = array(TYPECODES[datatype])
    numbers.frombytes(data)
    numbers.byteswap()
    return numbers.tobytes()
