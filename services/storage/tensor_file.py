"""Named tensors as safetensors bytes, in and out. Knows the file format; not what the tensors are for.

Pickle is never read: a safetensors file is a JSON header and raw little-endian numbers.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from services.errors import Invalid

Tensors = dict[str, np.ndarray[Any, Any]]

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64))
_PREFIX = 8  # the header's length, an unsigned little-endian 64-bit number


def encode_tensors(
    tensors: Mapping[str, np.ndarray[Any, Any]], metadata: dict[str, str] | None = None
) -> bytes:
    """Float32, float64 or int64 arrays by name as one file; equal tensors and metadata give equal bytes.

    Equal bytes need `metadata` of at most one entry: the format does not order them.
    """
    return save({name: np.asarray(array, order="C") for name, array in tensors.items()}, metadata)


def decode_tensors(data: bytes) -> Tensors:
    """The arrays of a file, read-only views where possible; finite float32, float64 or int64. Raises Invalid."""
    try:
        tensors: Tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"not a safetensors file of plain numbers: {error}") from error
    for name, array in tensors.items():
        if array.dtype not in _DTYPES:
            raise Invalid(f"tensor {name!r} holds {array.dtype}, which no model here has")
        if not np.isfinite(array).all():
            raise Invalid(f"tensor {name!r} holds numbers that are not finite")
    return tensors


def header_bytes(data: bytes) -> int:
    """How many of a file's bytes come before its numbers."""
    return min(len(data), _PREFIX + int.from_bytes(data[:_PREFIX], "little"))


def read_metadata(data: bytes) -> dict[str, str]:
    """The header's metadata, without touching the tensors. Raises Invalid."""
    length = int.from_bytes(data[:_PREFIX], "little")
    try:
        header = msgspec.json.decode(data[_PREFIX : _PREFIX + length], type=dict[str, msgspec.Raw])
        return msgspec.json.decode(header.get("__metadata__", b"{}"), type=dict[str, str])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("not a safetensors file: its header cannot be read") from error
