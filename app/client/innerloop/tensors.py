"""Turns examples and targets as a caller has them into what goes on the wire. Sends nothing itself."""

import base64
import io
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import arrays, nested
from .arrays import Tensor
from .errors import InvalidInput

Wire = Tensor | list[Any] | dict[str, Any]
"""A tensor to send as bytes, or what goes into the JSON document as it is."""


def pack_inputs(values: Any, place: str, *, binary: bool = True) -> Wire:
    """Examples to send, one per leading index. `place` names the argument in errors.

    Floats become FP32, uint8 arrays UINT8 (an image's 0-255), other integers INT64, booleans FP32 zeros and ones;
    N numbers become N x 1. Strings stay JSON; bytes, Pillow images and paths of image files become {"b64": …}.
    With `binary=False`, lists stay nested JSON lists and arrays become tensor objects with their data written out.
    Raises InvalidInput, with the place, for ragged lists, NaN and infinity in lists, and what is no number; OSError
    for a file that cannot be read.
    """
    found = arrays.from_library(values, place)
    if isinstance(found, Tensor):
        return _shipped(found, binary)
    examples = found if found is not None else _as_list(values, place)
    if not examples:
        return []
    first = examples[0]
    if isinstance(first, str):
        return _all_of(examples, str, place, "a string")
    if isinstance(first, dict):
        return _all_of(examples, dict, place, 'a {"b64": …} object')
    if isinstance(first, bytes | bytearray | Path) or arrays.is_picture(first):
        return [{"b64": _base64_of(example, f"{place}[{i}]")} for i, example in enumerate(examples)]
    stacked = arrays.stack(examples, place)
    if stacked is not None:
        return _shipped(stacked, binary)
    shape, leaves = nested.flatten(examples, place)
    numbers = nested.numbers(leaves, shape, place)
    if not binary or 0 in shape:
        return nested.rebuild(numbers, shape)
    return _shipped(_packed(numbers, shape, place), binary)


def pack_targets(values: Any, place: str, *, binary: bool = True) -> Wire:
    """Labels or numbers to send. Strings and whole numbers may be labels: they stay JSON and keep their type.

    Raises as `pack_inputs`, and for booleans: JSON has them, and no kind of target is one.
    """
    if arrays.holds_booleans(values):
        raise InvalidInput(f"{place} holds booleans: send them as integers for labels, as floats for values")
    found = arrays.from_library(values, place)
    if isinstance(found, Tensor):
        labels = found.datatype != "FP32" and len(found.shape) == 1
        return found.elements() if labels else _shipped(found, binary)
    targets = found if found is not None else _as_list(values, place)
    if targets and not isinstance(targets[0], str):
        shape, leaves = nested.flatten(targets, place)
        numbers = nested.numbers(leaves, shape, place)
        if all(type(number) is int for number in numbers):
            return nested.rebuild(numbers, shape)
    return pack_inputs(targets, place, binary=binary)


def _shipped(tensor: Tensor, binary: bool) -> Wire:
    # A flat list of N numbers stands for N x 1 only in the nested form, so the tensor form says it outright.
    if len(tensor.shape) == 1:
        tensor = Tensor(tensor.datatype, (*tensor.shape, 1), tensor.data)
    return tensor if binary else tensor.as_json()


def _packed(numbers: list[int | float], shape: tuple[int, ...], place: str) -> Tensor:
    datatype = "INT64" if all(type(number) is int for number in numbers) else "FP32"
    try:
        native = array(arrays.TYPECODES[datatype], numbers)
    except OverflowError as error:
        raise InvalidInput(f"{place} holds a number too large for {datatype}") from error
    return Tensor.of_native(datatype, shape, native.tobytes())


def _as_list(values: Any, place: str) -> list[Any]:
    wrong = isinstance(values, str | bytes | bytearray | dict) or arrays.is_picture(values)
    if wrong or not isinstance(values, Iterable):
        raise InvalidInput(f"{place} has to be a list of examples, not {type(values).__name__}")
    return list(values)


def _all_of(examples: list[Any], kind: type, place: str, name: str) -> list[Any]:
    for i, example in enumerate(examples):
        if not isinstance(example, kind):
            raise InvalidInput(f"{place}[{i}] is {type(example).__name__}, but {place}[0] is {name}")
    return examples


def _base64_of(example: Any, place: str) -> str:
    if arrays.is_picture(example):
        file = io.BytesIO()
        example.save(file, format="PNG")
        example = file.getvalue()
    if isinstance(example, Path):
        example = example.read_bytes()
    if not isinstance(example, bytes | bytearray):
        raise InvalidInput(
            f"{place} is {type(example).__name__}, not an image file's bytes, its pathlib.Path or a Pillow image"
        )
    return base64.b64encode(example).decode()
