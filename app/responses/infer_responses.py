"""Answers of the Open Inference Protocol, written: a JSON document, and binary tensors' bytes behind it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from starlette.responses import Response

from app.byte_elements import encode_elements
from app.requests.binary_frame import LENGTH_HEADER
from app.requests.infer_requests import InferQuery
from app.responses.answers import JSON
from app.responses.infer_outputs import Output, classification, outputs_of
from innerloop.schemas.inference import RequestedOutput
from services.adaptation.records import Classes, PredictionBatch
from services.errors import Invalid

_BINARY = "application/octet-stream"

Chosen = tuple[Output, bool]
"""An output, and whether it goes behind the document."""


def infer_response(batch: PredictionBatch, query: InferQuery) -> Response:
    """The prediction as the query wants it. Raises Invalid where it wants what there is not."""
    assert batch.adaptation is not None
    outputs = outputs_of(batch)
    if query.outputs is None:
        chosen: Sequence[Chosen] = [(output, query.binary) for output in outputs.values()]
    else:
        chosen = _chosen(outputs, query.outputs, query.binary, batch.classes)
    return encode(batch.adaptation, str(batch.revision), query.id, chosen)


def encode(
    model_name: str, model_version: str, request_id: str | None, outputs: Iterable[Chosen]
) -> Response:
    """The wire form. The header tells the document's length where any tensor stands behind it."""
    described: list[dict[str, Any]] = []
    behind: list[bytes] = []
    for output, binary in outputs:
        about: dict[str, Any] = {"name": output.name, "shape": output.shape, "datatype": output.datatype}
        if binary:
            behind.append(_bytes_of(output))
            about["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            about["data"] = (
                output.values if isinstance(output.values, list) else output.values.ravel().tolist()
            )
        described.append(about)
    echoed = {} if request_id is None else {"id": request_id}
    document = {"model_name": model_name, "model_version": model_version, **echoed, "outputs": described}
    head = msgspec.json.encode(document)
    if not behind:
        return Response(head, media_type=JSON)
    return Response(b"".join([head, *behind]), headers={LENGTH_HEADER: str(len(head))}, media_type=_BINARY)


def _chosen(
    outputs: Mapping[str, Output],
    requested: Sequence[RequestedOutput],
    binary: bool,
    classes: Classes | None,
) -> list[Chosen]:
    chosen: dict[str, Chosen] = {}
    for index, wanted in enumerate(requested):
        pointer = f"/outputs/{index}"
        output = outputs.get(wanted.name)
        if output is None:
            raise Invalid.at(f"{pointer}/name", f"no output {wanted.name!r}; there is {', '.join(outputs)}")
        if wanted.name in chosen:
            raise Invalid.at(f"{pointer}/name", f"the output {wanted.name!r} is asked for twice")
        if k := wanted.parameters.classification:
            output = classification(output, k, classes, pointer)
        own = wanted.parameters.binary_data
        chosen[wanted.name] = (output, binary if own is None else own)
    return list(chosen.values())


def _bytes_of(output: Output) -> bytes:
    """Row-major and little-endian."""
    if isinstance(output.values, list):
        return encode_elements(text.encode() for text in output.values)
    return np.ascontiguousarray(output.values, output.values.dtype.newbyteorder("<")).tobytes()
