"""Tensor objects of the Open Inference Protocol made into arrays: data in JSON, or bytes behind the document.

Knows datatypes, shapes and sizes; not what an input or a target is.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pydantic

from app.byte_elements import decode_elements
from app.requests.faults import faults_of
from app.requests.nested_lists import MAX_RANK, element_count, json_name, unnest
from innerloop.schemas.tensors import TensorObject
from services.errors import Invalid, Malformed

Elements = np.ndarray[Any, Any] | list[str] | list[bytes]

_MAX_SIDE = 2**31 - 1
_JSON_KINDS: dict[str, set[type]] = {"b": {bool}, "f": {int, float}, "O": {str}}
_DTYPES = {
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "BOOL": "?",
}


def read_tensor_object(value: dict[str, Any], pointer: str, attached: Mapping[str, memoryview]) -> Elements:
    """The elements in their declared shape and datatype; BYTES as texts (from JSON) or bytes (from binary).

    Raises Invalid for an object that is not valid, Malformed where its bytes contradict it. Nothing is
    allocated for a shape before the elements are known to be there.
    """
    try:
        tensor = TensorObject.model_validate(value, strict=True)
    except pydantic.ValidationError as error:
        raise Invalid("the tensor object is not valid", faults_of(error, pointer)) from error
    if not 1 <= len(tensor.shape) <= MAX_RANK or any(side > _MAX_SIDE for side in tensor.shape):
        raise Invalid.at(f"{pointer}/shape", f"1 to {MAX_RANK} dimensions, each of at most {_MAX_SIDE}")
    if 0 in tensor.shape and math.prod(side or 1 for side in tensor.shape) > _MAX_SIDE:
        # No element has to be there for it, and numpy refuses the shape all the same.
        raise Invalid.at(f"{pointer}/shape", f"an empty tensor whose other sides exceed {_MAX_SIDE} together")
    if tensor.datatype == "BYTES" and len(tensor.shape) > 1 and tensor.shape[1:] != [1]:
        raise Invalid.at(f"{pointer}/shape", "BYTES tensors have one element an example: [N] or [N, 1]")
    if tensor.parameters is None:
        return _from_data(tensor, pointer)
    if pointer not in attached:
        raise Malformed(f"{pointer} is binary, but there is no Inference-Header-Content-Length")
    return _from_bytes(tensor, pointer, attached[pointer])


def _from_data(tensor: TensorObject, pointer: str) -> np.ndarray[Any, Any] | list[str]:
    nested = unnest(tensor.data, f"{pointer}/data")
    shape = tuple(tensor.shape)
    count = math.prod(shape)
    if nested.shape not in (shape, (count,)):
        found = element_count(nested.shape)
        raise Invalid.at(f"{pointer}/data", f"shape {list(shape)} needs {count} elements, data has {found}")
    dtype = np.dtype(_DTYPES.get(tensor.datatype, "O"))
    allowed = _JSON_KINDS.get(dtype.kind, {int})
    if not nested.kinds <= allowed:
        odd = nested.first_other_than(allowed)
        detail = f"{json_name(nested.leaves[odd])} is not an element of {tensor.datatype}"
        raise Invalid.at(nested.pointer(f"{pointer}/data", odd), detail)
    if tensor.datatype == "BYTES":
        return nested.leaves
    try:
        with np.errstate(over="ignore"):
            return np.array(nested.leaves, dtype=dtype).reshape(shape)
    except OverflowError:
        raise Invalid.at(f"{pointer}/data", f"a number outside the range of {tensor.datatype}") from None


def _from_bytes(tensor: TensorObject, pointer: str, data: memoryview) -> np.ndarray[Any, Any] | list[bytes]:
    count = math.prod(tensor.shape)
    if tensor.datatype == "BYTES":
        elements = decode_elements(data, pointer)
        if len(elements) != count:
            raise Malformed(f"{pointer}: shape {tensor.shape}, but {len(elements)} BYTES elements")
        return elements
    dtype = np.dtype(_DTYPES[tensor.datatype])
    if count * dtype.itemsize != len(data):
        needed = f"{count} elements of {tensor.datatype} take {count * dtype.itemsize} bytes"
        raise Malformed(f"{pointer}: {needed}, not {len(data)}")
    return np.frombuffer(data, dtype=dtype).reshape(tensor.shape)
