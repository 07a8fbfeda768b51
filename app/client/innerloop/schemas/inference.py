"""The Open Inference Protocol (V2) over REST: what its clients send, and what they are answered.

The protocol lets anybody add members, so what is not known here is ignored in requests too.
"""

from typing import Annotated, Any, Self, TypeVar

import pydantic

from .base import RequestBody, ResponseBody
from .tensors import Datatype, Shape, TensorValue

_OPEN = pydantic.ConfigDict(extra="ignore", frozen=True)


class Parameters(RequestBody):
    """A flat map. Those that the protocol does not define are accepted, and mean nothing here."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    @pydantic.model_validator(mode="after")
    def _flat(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            if not isinstance(value, str | bool | int | float | None):
                raise ValueError(f"{name[:64]!r} is not a string, a number or a boolean")
        return self


class RequestParameters(Parameters):
    """Of the whole request."""

    binary_data_output: Annotated[
        bool, pydantic.Field(description="All outputs binary, but for those that say otherwise themselves.")
    ] = False


class InputParameters(Parameters):
    """Of an input tensor."""

    binary_data_size: Annotated[
        int | None,
        pydantic.Field(ge=0, description="How many bytes behind the document are this tensor's."),
    ] = None


class OutputParameters(Parameters):
    """Of a requested output."""

    binary_data: Annotated[
        bool | None, pydantic.Field(description="Behind the document, whatever `binary_data_output` says.")
    ] = None
    classification: Annotated[
        int | None,
        pydantic.Field(ge=0, description="The k highest values instead, as BYTES `value:index[:label]`."),
    ] = None


ParametersT = TypeVar("ParametersT", bound=Parameters)
Maybe = Annotated[ParametersT, pydantic.BeforeValidator(lambda given: {} if given is None else given)]
"""Some clients write null for what they leave out."""

ItemT = TypeVar("ItemT", bound=RequestBody)
Items = Annotated[list[ItemT], pydantic.FailFast()]
"""The first fault is told: a body full of them must not become as many sentences."""


class InferInput(RequestBody):
    """One input tensor: exactly one of `data` and `parameters.binary_data_size`."""

    model_config = _OPEN

    name: str
    datatype: Datatype
    shape: Shape
    parameters: Maybe[InputParameters] = InputParameters()
    data: TensorValue = None


class RequestedOutput(RequestBody):
    """One output that is wanted."""

    model_config = _OPEN

    name: str
    parameters: Maybe[OutputParameters] = OutputParameters()


class InferRequest(RequestBody):
    """Query examples. Without `outputs` every output is answered, with it exactly those, in their order."""

    model_config = {
        **_OPEN,
        "json_schema_extra": {
            "examples": [
                {"inputs": [{"name": "inputs", "datatype": "FP32", "shape": [2, 1], "data": [5, 6]}]},
                {
                    "id": "q1",
                    "inputs": [{"name": "inputs", "datatype": "FP32", "shape": [2, 1], "data": [[5], [6]]}],
                    "outputs": [{"name": "value", "parameters": {"binary_data": False}}],
                },
            ]
        },
    }

    id: str | None = None
    parameters: Maybe[RequestParameters] = RequestParameters()
    inputs: Items[InferInput]
    outputs: Annotated[
        Items[RequestedOutput], pydantic.BeforeValidator(lambda given: [] if given is None else given)
    ] = []


class InferOutput(ResponseBody):
    """One output tensor; `data` is row-major and flat, absent where `parameters.binary_data_size` is given."""

    name: str
    shape: list[int]
    datatype: Datatype
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferResponse(ResponseBody):
    """`model_name` is the adaptation's id, `model_version` its revision; `id` is the request's own."""

    model_name: str
    model_version: str | None = None
    id: str | None = None
    outputs: list[InferOutput]


class TensorMetadata(ResponseBody):
    """A tensor that goes in or comes out; -1 stands for any number of examples."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadataResponse(ResponseBody):
    """An adaptation as that protocol's model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReadyResponse(ResponseBody):
    """Whether an adaptation can be queried; false comes as an error."""

    name: str
    ready: bool = True


class ServerMetadataResponse(ResponseBody):
    """This service, and the protocol's extensions that it speaks."""

    name: str
    version: str
    extensions: list[str]


class ServerLiveResponse(ResponseBody):
    """Whether the process lives."""

    live: bool = True


class ServerReadyResponse(ResponseBody):
    """Whether the service can do its work; false comes as an error."""

    ready: bool = True


class InferenceErrorResponse(ResponseBody):
    """Every error of these routes."""

    error: str
