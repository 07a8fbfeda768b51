"""Input examples as a caller gave them, made into what a model's signature says. Knows arrays and images."""

import math
from typing import Any

import numpy as np

from models.spec import Signature
from services.adaptation.limits import Limits
from services.adaptation.records import Array, Inputs
from services.adaptation.texts import read_texts
from services.datasets.images import decode_image, fit
from services.engine import messages
from services.errors import Invalid, TooLarge
from services.finite import all_finite

# Slack for images that went through somebody's own arithmetic.
_ROUNDING = 1e-3
_NAMED = 20  # columns in a message
_IMAGES = (
    'images: {"b64": …} of a PNG, JPEG or WebP file in JSON; '
    "bytes, pathlib.Path, Pillow images or arrays in Python"
)


def engine_inputs(
    raw: Inputs, signature: Signature, pointer: str, limits: Limits, columns: range | None = None
) -> messages.Array:
    """The examples as they cross into the engine: texts, or numbers as `read_inputs` makes them. Raises Invalid."""
    if signature.is_text:
        return messages.Array.of_texts(read_texts(raw, pointer, limits))
    return messages.Array.of(read_inputs(raw, signature, pointer, limits, columns))


def read_inputs(
    raw: Inputs, signature: Signature, pointer: str, limits: Limits, columns: range | None = None
) -> Array:
    """The examples as float32 [E, *signature]; `pointer` is where they stand in the request's body.

    `columns` are the numbers of columns that a table may have where these are not the signature's alone: zeros
    stand behind them. Else than from 1 to those they are an adaptation's. Raises Invalid, with the place of the
    first fault.
    """
    if len(raw) == 0:
        raise Invalid.at(pointer, "there are no examples")
    numbers = len(raw) * math.prod(signature.inputs.example_shape)
    if numbers > limits.input_numbers:
        detail = f"the examples are {numbers} numbers to this model; at most {limits.input_numbers} are taken"
        raise Invalid.at(pointer, detail)
    if isinstance(raw, list):
        return _files(raw, signature, pointer, limits)
    if raw.dtype.kind not in "uif":
        raise Invalid.at(pointer, "examples are numbers")
    if raw[0].size > limits.input_width:
        raise Invalid.at(
            pointer, f"an example has {raw[0].size} numbers; at most {limits.input_width} are taken"
        )
    if columns is not None:
        return _table(raw, columns, signature, pointer)
    return _READERS[signature.input_kind](raw, signature, pointer)


def n_columns_of(raw: Inputs) -> int:
    """How many columns a table has that `read_inputs` took."""
    return raw.shape[1] if isinstance(raw, np.ndarray) and raw.ndim == 2 else 1


def _table(raw: Array, columns: range, signature: Signature, pointer: str) -> Array:
    if raw.ndim == 1 and 1 in columns:
        raw = raw[:, None]
    (width,) = signature.inputs.example_shape
    if raw.ndim != 2 or raw.shape[1] not in columns:
        taken = f"this model takes 1 to {width} numbers each"
        if columns != range(1, width + 1):
            taken = f"the adaptation has {columns[0]} column{'s' * (columns[0] > 1)}, as its support set had"
        raise Invalid.at(pointer, f"an example of shape {list(raw.shape[1:])}; {taken}")
    table = np.zeros((len(raw), width), np.float32)
    table[:, : raw.shape[1]] = _finite(raw, pointer)
    return table


def _vectors(raw: Array, signature: Signature, pointer: str) -> Array:
    (width,) = signature.inputs.example_shape
    if raw.ndim == 1 and width == 1:
        raw = raw[:, None]
    if raw.ndim != 2 or raw.shape[1] != width:
        took = "a number" if width == 1 else f"{width} numbers"
        names = ", ".join(column.name for column in signature.columns[:_NAMED] if column.name)
        which = f": {names}{', …' * (width > _NAMED)}" if names else ""
        raise Invalid.at(
            pointer, f"an example of shape {list(raw.shape[1:])}; this model takes {took} each{which}"
        )
    return _finite(raw, pointer)


def _series(raw: Array, signature: Signature, pointer: str) -> Array:
    steps, channels = signature.inputs.example_shape
    if raw.ndim == 2 and channels == 1:
        raw = raw[..., None]
    if raw.shape[1:] != (steps, channels):
        detail = (
            f"a series of shape {list(raw.shape[1:])}; this model takes {steps} steps of {channels} numbers"
        )
        raise Invalid.at(pointer, detail)
    return _finite(raw, pointer)


def _pictures(raw: Array, signature: Signature, pointer: str) -> Array:
    height, width, channels = signature.inputs.example_shape
    if raw.ndim == 3:
        raw = raw[..., None]
    if raw.ndim != 4 or 0 in raw.shape:
        detail = "images are N x H x W or N x H x W x C"
        raise Invalid.at(pointer, f"shape {list(raw.shape)}; {detail}")
    if raw.dtype != np.uint8:
        raw = _finite(raw, pointer)
        outside = (raw < -_ROUNDING) | (raw > 1 + _ROUNDING)
        if outside.any():
            detail = "a value outside 0 to 1; send 0 to 255 with the datatype UINT8"
            raise Invalid.at(f"{pointer}/{_first(outside)}", detail)
    if raw.shape[1:] == (height, width, channels):
        return raw.astype(np.float32) / 255 if raw.dtype == np.uint8 else raw
    return _fitted(raw, (height, width, channels), pointer)


_READERS = {"vectors": _vectors, "series": _series, "images": _pictures}


def _files(raw: list[Any], signature: Signature, pointer: str, limits: Limits) -> Array:
    if isinstance(raw[0], str):
        raise Invalid.at(pointer, f"texts; this model takes {_IMAGES if signature.is_image else 'numbers'}")
    if not signature.is_image:
        raise Invalid.at(pointer, "image files; this model takes numbers")
    height, width, channels = signature.inputs.example_shape
    images = np.empty((len(raw), height, width, channels), np.float32)
    pixels = 0
    for index, data in enumerate(raw):
        try:
            image = decode_image(data, limits.image_pixels)
        except Invalid as error:
            raise Invalid.at(f"{pointer}/{index}", error.detail) from error
        pixels += image.shape[0] * image.shape[1]
        if pixels > limits.call_pixels:
            raise TooLarge(f"the images of one call have at most {limits.call_pixels} pixels together")
        images[index] = fit(image, (height, width, channels))
    return images


def _fitted(raw: Array, shape: tuple[int, int, int], pointer: str) -> Array:
    try:
        return np.stack([fit(image, shape) for image in raw])
    except Invalid as error:
        raise Invalid.at(pointer, error.detail) from error


def _finite(raw: Array, pointer: str) -> Array:
    if raw.dtype == np.float32:
        narrow = raw
    else:
        with np.errstate(over="ignore"):
            narrow = raw.astype(np.float32)
    if not all_finite(narrow):
        raise Invalid.at(f"{pointer}/{_first(~np.isfinite(narrow))}", "not a finite float32 number")
    return narrow


def _first(faulty: Array) -> str:
    """The place of the first fault, as the end of a JSON Pointer."""
    return "/".join(map(str, np.unravel_index(int(np.argmax(faulty)), faulty.shape)))
