"""Bodies: a JSON document, followed by the raw bytes of its tensors where it has any."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .arrays import Tensor
from .errors import InvalidInput

LENGTH_HEADER = "Inference-Header-Content-Length"


class Body(NamedTuple):
    """`headers` say how to read `content`."""

    content: bytes
    headers: dict[str, str]


def encode(document: Mapping[str, Any]) -> Body:
    """The document with every Tensor in it moved behind it, in document order.

    Without tensors it is plain JSON; with them, the Open Inference Protocol's binary extension.
    """
    tensors: list[bytes] = []
    try:
        text = json.dumps(
            _placed(document, tensors), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
        head = text.encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the request is not JSON: {error}") from error
    if not tensors:
        return Body(head, {"Content-Type": "application/json"})
    headers = {"Content-Type": "application/octet-stream", LENGTH_HEADER: str(len(head))}
    return Body(b"".join([head, *tensors]), headers)


def _placed(value: Any, tensors: list[bytes]) -> Any:
    if isinstance(value, Tensor):
        tensors.append(value.data)
        return {
            "datatype": value.datatype,
            "shape": value.shape,
            "parameters": {"binary_data_size": len(value.data)},
        }
    if isinstance(value, Mapping):
        return {name: _placed(inner, tensors) for name, inner in value.items()}
    # Other lists are not searched: a tensor is always an object's field, and lists may hold very many numbers.
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return [_placed(inner, tensors) for inner in value]
    return value
