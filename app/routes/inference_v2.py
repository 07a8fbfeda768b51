"""The Open Inference Protocol (V2): clients written for it query an adapted model unchanged.

The protocol's model is an adaptation, its version the adaptation's revision. Adapting has no verb there: it is
done at /v1. Content-Type is ignored, for the protocol's own clients send none, or the same on everything.
"""

from collections.abc import Mapping
from importlib.metadata import version as version_of
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.content_coding import compressed
from app.dependencies import Draining, Services, services_of, settings_of
from app.idempotency import once
from app.operations import Answer, json_body, operation
from app.readiness import engine_readiness
from app.requests.binary_frame import LENGTH_HEADER, read_length
from app.requests.bodies import off_loop, read_coded_body, sha256_of
from app.requests.connection import while_connected
from app.requests.infer_requests import (
    INPUT_NAME,
    INPUT_POINTER,
    InferQuery,
    read_infer_request,
    read_raw_request,
)
from app.requests.parameters import (
    ADAPTATION_ID,
    REVISION,
    AdaptationId,
    Revision,
    adaptation_id_of,
    revision_of,
)
from app.responses import examples
from app.responses.answers import answer
from app.responses.infer_outputs import output_metadata
from app.responses.infer_responses import infer_response
from app.routes.health import answer_readiness
from innerloop.schemas.inference import (
    InferRequest,
    InferResponse,
    ModelMetadataResponse,
    ModelReadyResponse,
    ServerLiveResponse,
    ServerMetadataResponse,
    ServerReadyResponse,
    TensorMetadata,
)
from services.adaptation.actions import GREEDY
from services.api_bootstrap import ApiServices
from services.errors import Unavailable

router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

_MODEL = "/models/{adaptation_id}"
_VERSION = _MODEL + "/versions/{revision}"
_EXTENSIONS = ["binary_tensor_data", "classification", "parameters"]
_PLATFORM = "innerloop_safetensors"

_METADATA = operation(
    {200: Answer("What goes in and what comes out.", ModelMetadataResponse, examples.INFERENCE_METADATA)},
    (404,),
)
_READY = operation(
    {200: Answer("It can be queried.", ModelReadyResponse, examples.INFERENCE_MODEL_READY)}, (404, 503)
)


def _infer_operation(*path: Mapping[str, Any]) -> dict[str, Any]:
    outputs = Answer(
        "The outputs, in order.",
        InferResponse,
        examples.INFER,
        headers=("Inference-Header-Content-Length",),
    )
    body = json_body(InferRequest, "two numbers", "the value alone", binary=True)
    return operation({200: outputs}, (404, 429), path=path, body=body, idempotent=True)


@router.get("/", include_in_schema=False)
@router.get(
    "",
    summary="Describe the server",
    **operation({200: Answer("The server.", ServerMetadataResponse, examples.INFERENCE_SERVER)}, ()),
)
async def server() -> Response:
    """The server's name and version, and the extensions of the protocol that it speaks."""
    return answer(
        ServerMetadataResponse(name="innerloop", version=version_of("innerloop"), extensions=_EXTENSIONS)
    )


@router.get(
    "/health/live",
    summary="Does the server live?",
    **operation({200: Answer("It does.", ServerLiveResponse, {"live": True})}, ()),
)
async def server_live() -> Response:
    """200 as long as this process answers at all; needs no key."""
    return answer(ServerLiveResponse())


@router.get(
    "/health/ready",
    summary="Is the server ready?",
    **operation({200: Answer("It is.", ServerReadyResponse, {"ready": True})}, (503,)),
)
async def server_ready(request: Request, services: Services, drain: Draining) -> Response:
    """200 where `/readyz` says so too, else 503 with the reasons; needs no key."""
    return await answer_readiness(request, services, drain, lambda _: answer(ServerReadyResponse()))


@router.get(_MODEL, summary="Describe an adaptation", **_METADATA)
async def model(adaptation_id: AdaptationId, services: Services) -> Response:
    """The adaptation's input and outputs. -1 stands for any number of examples."""
    return await _metadata(services, adaptation_id)


@router.get(_VERSION, summary="Describe an adaptation at a revision", **_METADATA)
async def model_version(adaptation_id: AdaptationId, revision: Revision, services: Services) -> Response:
    """The same; 404 unless the adaptation is at that revision."""
    return await _metadata(services, adaptation_id, revision)


@router.get(_MODEL + "/ready", summary="Is an adaptation ready?", **_READY)
async def model_ready(adaptation_id: AdaptationId, services: Services) -> Response:
    """200 where the adaptation is there and the engine answers, else 404 or 503."""
    return await _ready(services, adaptation_id)


@router.get(_VERSION + "/ready", summary="Is an adaptation ready at a revision?", **_READY)
async def model_version_ready(
    adaptation_id: AdaptationId, revision: Revision, services: Services
) -> Response:
    """The same; 404 unless the adaptation is at that revision."""
    return await _ready(services, adaptation_id, revision)


@router.post(_MODEL + "/infer", summary="Query an adaptation", **_infer_operation(ADAPTATION_ID))
async def infer(request: Request) -> Response:
    """Predict for the examples of the one input, `inputs`.

    Regression answers `value`, and `std` where the learner gives one; classification `probabilities` and `label`
    (BYTES, or INT64 where the labels are integers). Tensors may be JSON or binary both ways, in any mixture;
    `Inference-Header-Content-Length: 0` says that the body is the data of one example and nothing else. The body
    may be compressed (`Content-Encoding: gzip` or `deflate`), and so is the answer where `Accept-Encoding` names
    exactly one of these. Content-Type is ignored.
    """
    return await _infer(request, adaptation_id_of(request))


@router.post(
    _VERSION + "/infer",
    summary="Query an adaptation at a revision",
    **_infer_operation(ADAPTATION_ID, REVISION),
)
async def infer_version(request: Request) -> Response:
    """The same; 404 unless the adaptation is at that revision."""
    return await _infer(request, adaptation_id_of(request), revision_of(request))


async def _metadata(services: ApiServices, adaptation_id: str, revision: int | None = None) -> Response:
    served = await services.adaptations.served(adaptation_id, revision)
    spec = served.inputs
    return answer(
        ModelMetadataResponse(
            name=adaptation_id,
            versions=[str(served.adaptation.revision)],
            platform=_PLATFORM,
            inputs=[TensorMetadata(name=INPUT_NAME, datatype=spec.datatype, shape=list(spec.shape))],
            outputs=output_metadata(served),
        )
    )


async def _ready(services: ApiServices, adaptation_id: str, revision: int | None = None) -> Response:
    await services.adaptations.served(adaptation_id, revision)
    engine = await engine_readiness(services)
    if not engine.ok:
        raise Unavailable(engine.detail or "the engine is not ready")
    return answer(ModelReadyResponse(name=adaptation_id))


async def _infer(request: Request, adaptation_id: str, revision: int | None = None) -> Response:
    services = services_of(request)
    body = await read_coded_body(request, settings_of(request).body_bytes)

    async def work(_token: str | None) -> Response:
        query = await _query(request, body, services, adaptation_id, revision)
        asking = services.adaptations.predict(
            adaptation_id,
            query.inputs,
            request.state.principal,
            revision=revision,
            pointer=INPUT_POINTER,
            acting=GREEDY,
        )
        batch = await while_connected(request, asking)
        numbers = batch.values if batch.probabilities is None else batch.probabilities
        # As text a number takes about 16 bytes.
        size = 0 if numbers is None else 16 * numbers.size
        return await off_loop(size, lambda: infer_response(batch, query))

    # Outside of what a repeat gets again, for a repeat may want another coding.
    return await compressed(request, await once(request, lambda: sha256_of(body), services.idempotency, work))


async def _query(
    request: Request, body: bytes, services: ApiServices, adaptation_id: str, revision: int | None
) -> InferQuery:
    header_length = request.headers.get(LENGTH_HEADER)
    if header_length is None or read_length(header_length) != 0:
        return await off_loop(len(body), lambda: read_infer_request(body, header_length))
    served = await services.adaptations.served(adaptation_id, revision)
    return await off_loop(len(body), lambda: read_raw_request(body, served.inputs))
