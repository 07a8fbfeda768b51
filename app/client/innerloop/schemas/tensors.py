"""Tensors on the wire, in the three forms of the contract; elements are never validated one by one here."""

from typing import Annotated, Any, Literal

import pydantic

from .base import RequestBody

Datatype = Literal[
    "FP16",
    "FP32",
    "FP64",
    "UINT8",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "UINT16",
    "UINT32",
    "UINT64",
    "BOOL",
    "BYTES",
]

_TENSOR_SCHEMA = {
    "description": "A tensor: nested lists of finite numbers; a flat list of numbers (N x 1); a list of strings; "
    'a list of {"b64": "..."} image files; or an Open Inference Protocol tensor object, whose `data` may be '
    "replaced by `parameters.binary_data_size` when the bytes follow the JSON document.",
    "anyOf": [
        {"type": "array", "items": {}},
        {
            "type": "object",
            "required": ["datatype", "shape"],
            "properties": {
                "datatype": {"type": "string", "examples": ["FP32"]},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "data": {"type": "array", "items": {}},
                "parameters": {
                    "type": "object",
                    "properties": {"binary_data_size": {"type": "integer", "minimum": 0}},
                },
            },
        },
    ],
}

TensorValue = Annotated[Any, pydantic.WithJsonSchema(_TENSOR_SCHEMA)]
"""Whatever JSON was there; the server turns it into an array, with a pointer to what is wrong."""


Shape = Annotated[list[Annotated[int, pydantic.Field(ge=0)]], pydantic.FailFast()]
"""Sides, the first of them the examples. Of a faulty one the first fault is told."""


class BinaryParameters(RequestBody):
    binary_data_size: Annotated[int, pydantic.Field(ge=0)]


class TensorObject(RequestBody):
    """One tensor of the Open Inference Protocol: exactly one of `data` and `parameters`."""

    datatype: Datatype
    shape: Shape
    data: TensorValue = None
    parameters: BinaryParameters | None = None
