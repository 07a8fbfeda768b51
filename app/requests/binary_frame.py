"""The binary form of a request: a JSON document followed by raw tensor bytes (Open Inference Protocol).

Knows where each tensor's bytes are. Does not know what they mean: `app.requests.tensors` reads them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pydantic_core

from services.errors import Malformed

LENGTH_HEADER = "inference-header-content-length"
"""How many bytes of the body are JSON; present exactly where the body is a binary frame."""

_TENSOR_PLACES = re.compile(
    r"/inputs|/support/(?:inputs|targets|classes|episodes/\d+/(?:observations|actions|rewards|log_probs))"
)

Walk = Callable[[Any], Iterator[tuple[str, dict[str, Any]]]]
"""Finds a document's tensor objects in document order, each with its JSON Pointer; whatever the document is."""


class Frame(NamedTuple):
    """A request's document, and the bytes that follow it by the JSON Pointer of their tensor."""

    document: Any
    attached: Mapping[str, memoryview]


def read_json(data: bytes | memoryview) -> Any:
    """JSON in UTF-8, without the bare words NaN and Infinity, and not nested beyond reason. Raises Malformed."""
    try:
        return pydantic_core.from_json(bytes(data), allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"the body is not JSON: {error}") from error


def placed_tensors(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tensor objects of the service's own routes: they stand at fixed places."""
    members = document.items() if isinstance(document, dict) else ()
    for pointer, value in ((f"/{key}", value) for key, value in members):
        yield from _placed(pointer, value)


def _placed(pointer: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict) and _TENSOR_PLACES.fullmatch(pointer):
        yield pointer, value
    elif pointer == "/support" and isinstance(value, dict):
        for name, part in value.items():
            yield from _placed(f"{pointer}/{name}", part)
    elif pointer == "/support/episodes" and isinstance(value, list):
        for number, episode in enumerate(value):
            for name, part in episode.items() if isinstance(episode, dict) else ():
                yield from _placed(f"{pointer}/{number}/{name}", part)


def listed_tensors(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tensor objects of the Open Inference Protocol: the list `inputs`."""
    inputs = document.get("inputs") if isinstance(document, dict) else None
    for index, candidate in enumerate(inputs if isinstance(inputs, list) else ()):
        if isinstance(candidate, dict):
            yield f"/inputs/{index}", candidate


def read_frame(body: bytes, header_length: str | None, walk: Walk = placed_tensors) -> Frame:
    """Take a body apart. `header_length` is the value of `Inference-Header-Content-Length`, None without it.

    Raises Malformed where the header, the sizes in the document and the body's length do not agree.
    """
    if header_length is None:
        return Frame(read_json(body), {})
    length = read_length(header_length)
    if length > len(body):
        raise Malformed(f"Inference-Header-Content-Length is {length}, the body has {len(body)} bytes")
    view = memoryview(body)
    document = read_json(view[:length])
    attached: dict[str, memoryview] = {}
    start = length
    for pointer, tensor in walk(document):
        size = _binary_size(pointer, tensor)
        if size is None:
            continue
        if size > len(body) - start:
            raise Malformed(f"{pointer} announces {size} bytes, the body has {len(body) - start} left")
        attached[pointer] = view[start : start + size]
        start += size
    if start != len(body):
        raise Malformed(f"{len(body) - start} bytes are left over after the last tensor")
    return Frame(document, attached)


def read_length(header_length: str) -> int:
    """The header's value as a number. Raises Malformed."""
    if not (header_length.isascii() and header_length.isdigit() and len(header_length) <= 12):
        raise Malformed("Inference-Header-Content-Length is not a decimal number")
    return int(header_length)


def _binary_size(pointer: str, tensor: dict[str, Any]) -> int | None:
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return None
    if tensor.get("data") is not None:
        raise Malformed(f"{pointer} has both data and binary_data_size")
    if type(size) is not int or size < 0:
        raise Malformed(f"{pointer}/parameters/binary_data_size is not a byte count")
    return size
