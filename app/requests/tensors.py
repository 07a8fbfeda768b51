"""Inputs and targets as they come over the wire, in any of the contract's three forms, made into arrays.

Knows no model: what the numbers mean (labels or regression values, how wide an input must be) is the
adaptation service's business, so whatever distinction the caller made is kept.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.requests.nested_lists import float32, numbers, unnest
from app.requests.tensor_objects import read_tensor_object
from services.errors import Invalid

Inputs = np.ndarray[Any, Any] | list[str] | list[bytes]
Targets = np.ndarray[Any, Any] | list[str] | list[int]
Attached = Mapping[str, memoryview]
"""The binary tensors of a request by JSON Pointer."""


def read_inputs(value: Any, pointer: str, attached: Attached) -> Inputs:
    """Input examples: float32 of the given shape; uint8 where the tensor object says UINT8; texts; image files.

    `pointer` is where the value stands in the request's body, `attached` the bytes that follow the document.
    Raises Invalid with the place of the first fault, Malformed where a binary tensor contradicts itself.
    """
    if isinstance(value, dict):
        elements = read_tensor_object(value, pointer, attached)
        if isinstance(elements, list) or elements.dtype == np.uint8:
            return elements
        return float32(elements, pointer)
    nested = unnest(value, pointer)
    if nested.kinds == {str} and len(nested.shape) == 1:
        return nested.leaves
    if nested.kinds == {dict} and len(nested.shape) == 1:
        return [_image_file(item, f"{pointer}/{index}") for index, item in enumerate(nested.leaves)]
    return numbers(nested, pointer)


def read_targets(value: Any, pointer: str, attached: Attached) -> Targets:
    """Targets: a list of strings, a list of integers, or float32 [N] or [N, D]. Raises as `read_inputs`."""
    if isinstance(value, dict):
        elements = read_tensor_object(value, pointer, attached)
        if not isinstance(elements, np.ndarray):
            labels: Sequence[str | bytes] = elements
            return [_text(label, f"{pointer}/{index}") for index, label in enumerate(labels)]
        if elements.dtype == np.bool_:
            raise Invalid.at(f"{pointer}/datatype", "BOOL is not a kind of target")
        column = elements.ndim == 1 or elements.shape[1:] == (1,)
        if column and elements.dtype.kind in "iu":
            return _integers(elements.ravel().tolist(), pointer)
        return float32(elements, pointer)
    nested = unnest(value, pointer)
    if len(nested.shape) == 1:
        if nested.kinds == {str}:
            return nested.leaves
        if nested.kinds == {int}:
            return _integers(nested.leaves, pointer)
        if str in nested.kinds:
            odd = nested.first_other_than({type(nested.leaves[0])})
            raise Invalid.at(f"{pointer}/{odd}", "targets are all strings or all numbers")
    return numbers(nested, pointer)


def _integers(leaves: list[int], pointer: str) -> list[int]:
    for index, leaf in enumerate(leaves):
        if not -(2**63) <= leaf < 2**63:
            raise Invalid.at(f"{pointer}/{index}", "an integer target fits into 64 bits")
    return leaves


def _image_file(item: dict[str, Any], pointer: str) -> bytes:
    encoded = item.get("b64")
    if set(item) != {"b64"} or not isinstance(encoded, str):
        raise Invalid.at(pointer, 'an image file is given as {"b64": "…"}')
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid.at(f"{pointer}/b64", "not base64") from error


def _text(item: str | bytes, pointer: str) -> str:
    if isinstance(item, str):
        return item
    try:
        return item.decode()
    except UnicodeDecodeError as error:
        raise Invalid.at(pointer, "a label is not UTF-8") from error
