"""Requests of the Open Inference Protocol, read: one input tensor, and how its answer is wanted.

Knows the protocol's document and its raw form; not which outputs there are, and no model but its input's spec.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException

from app.requests.binary_frame import listed_tensors
from app.requests.bodies import parse_frame
from app.requests.tensors import Attached, Inputs, read_inputs
from innerloop.schemas.inference import InferInput, InferRequest, RequestedOutput
from models.spec import TensorSpec
from services.errors import Invalid, Malformed

INPUT_NAME = "inputs"
"""What an adaptation's one input is called, as in a signature."""
INPUT_POINTER = "/inputs/0"

_SHARED_MEMORY = "shared_memory_region"


class InferQuery(NamedTuple):
    """Query examples. `outputs` None wants all; `binary` holds for those that do not say it themselves."""

    inputs: Inputs
    id: str | None = None
    outputs: Sequence[RequestedOutput] | None = None
    binary: bool = False


def read_infer_request(body: bytes, header_length: str | None) -> InferQuery:
    """A JSON document, perhaps with binary tensors behind it. Raises Malformed, Invalid, and a 501."""
    draft, attached = parse_frame(body, header_length, InferRequest, listed_tensors)
    if [given.name for given in draft.inputs] != [INPUT_NAME]:
        raise Invalid.at("/inputs", f"this model takes exactly one input, {INPUT_NAME!r}")
    of_tensors = [*(one.parameters for one in draft.inputs), *(one.parameters for one in draft.outputs)]
    if any(_SHARED_MEMORY in (parameters.model_extra or {}) for parameters in of_tensors):
        raise HTTPException(501, "shared memory is not supported: send the tensor with the request")
    inputs = _inputs_of(draft.inputs[0], attached)
    return InferQuery(inputs, draft.id, draft.outputs or None, draft.parameters.binary_data_output)


def read_raw_request(body: bytes, spec: TensorSpec) -> InferQuery:
    """A body that is the data of one example and nothing else (header value 0). Raises Malformed."""
    if spec.datatype == "BYTES":
        try:
            return InferQuery([body.decode()], binary=True)
        except UnicodeDecodeError as error:
            raise Malformed("the body is not UTF-8") from error
    tensor = InferInput(name=INPUT_NAME, datatype=spec.datatype, shape=[1, *spec.example_shape])
    return InferQuery(_inputs_of(tensor, {INPUT_POINTER: memoryview(body)}), binary=True)


def _inputs_of(tensor: InferInput, attached: Attached) -> Inputs:
    """The tensor as the service's own routes would have been given it."""
    document: dict[str, Any] = {"datatype": tensor.datatype, "shape": tensor.shape}
    size = tensor.parameters.binary_data_size
    if INPUT_POINTER in attached:
        size = len(attached[INPUT_POINTER])
    if size is None:
        document["data"] = tensor.data
    else:
        document["parameters"] = {"binary_data_size": size}
    return read_inputs(document, INPUT_POINTER, attached)
