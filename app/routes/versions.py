"""Model versions over HTTP: immutable, listed, imported from and downloaded as one safetensors file."""

from pathlib import Path

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.dependencies import After, Files, Limit, Services, Settings
from app.idempotency import once
from app.operations import Answer, file_body, operation
from app.requests.bodies import media_type_of
from app.requests.conditions import digest_etag, etag_of, tagged
from app.requests.parameters import ModelName, VersionNumber
from app.requests.uploads import receive_file, upload_file
from app.responses import examples
from app.responses.answers import answer, answer_tagged, listed
from innerloop.schemas.listing import ListResponse
from innerloop.schemas.models import (
    ArtifactReference,
    LearnerResponse,
    ModelVersionResponse,
    PolicySignatureResponse,
    SignatureResponse,
)
from models.spec import Signature, columns_of
from services.api_bootstrap import ApiServices
from services.errors import UnsupportedMediaType
from services.registry.records import ModelVersion

router = APIRouter(prefix="/v1/models/{name}/versions", tags=["Models"])

_ARTIFACT_TYPES = ("application/octet-stream", "application/vnd.safetensors")


@router.get(
    "",
    summary="List a model's versions",
    **operation(
        {
            200: Answer(
                "A page, newest first.",
                ListResponse[ModelVersionResponse],
                examples.one_page(examples.VERSION),
            )
        },
        (404, 422),
    ),
)
async def list_versions(
    name: ModelName, services: Services, limit: Limit = 20, after: After = None
) -> Response:
    """A model's versions. Numbers count upwards and are never used twice."""
    page = await anyio.to_thread.run_sync(services.registry.versions, name, limit, after)
    return listed(page, _version_wire)


@router.post(
    "",
    summary="Import a version",
    **operation(
        {201: Answer("The new version.", ModelVersionResponse, examples.VERSION, ("Location", "ETag"))},
        (422, 503),
        body=file_body(dict.fromkeys(_ARTIFACT_TYPES, "What `GET …/versions/{version}/artifact` answers.")),
        idempotent=True,
    ),
)
async def import_version(
    request: Request,
    name: ModelName,
    services: Services,
    settings: Settings,
    files: Files,
    alias: str | None = Query(
        None, description="An alias to move to the new version.", examples=["champion"]
    ),
) -> Response:
    """Register a safetensors file with its manifest as the model's next version.

    The engine rebuilds the learner from the file and tries it before the version exists; a file that it cannot
    use is 422 and leaves nothing behind.
    """
    if media_type_of(request) not in _ARTIFACT_TYPES:
        raise UnsupportedMediaType(f"send the safetensors file as {_ARTIFACT_TYPES[0]}")
    with upload_file(settings.upload_dir) as file:
        upload = await receive_file(request, file, settings.artifact_bytes)

        async def work(token: str | None) -> Response:
            # Only with a turn is the file in memory.
            async with files.turn():
                made = await _publish(services, name, upload.path, alias, token)
            response = answer(_version_wire(made), 201)
            response.headers["Location"] = f"/v1/models/{made.model}/versions/{made.version}"
            response.headers["ETag"] = digest_etag(bytes(response.body))
            return response

        return await once(request, lambda: upload.sha256, services.idempotency, work)


async def _publish(
    services: ApiServices, name: str, path: Path, alias: str | None, token: str | None
) -> ModelVersion:
    artifact = await anyio.to_thread.run_sync(path.read_bytes)
    staged = await anyio.to_thread.run_sync(services.registry.stage, artifact)
    try:
        await services.adaptations.try_out(staged)
        return await anyio.to_thread.run_sync(services.registry.publish, name, artifact, alias, token)
    finally:
        # A file that a version names stays.
        await anyio.to_thread.run_sync(services.registry.discard, staged.artifact_sha256)


@router.get(
    "/{version}",
    summary="Get a version",
    **operation(
        {
            200: Answer("The version.", ModelVersionResponse, examples.VERSION, ("ETag",)),
            304: Answer("Unchanged."),
        },
        (404,),
        headers=("If-None-Match",),
    ),
)
async def get_version(
    request: Request, name: ModelName, version: VersionNumber, services: Services
) -> Response:
    """One version: learner, signature, training record, metrics. Only its aliases ever change."""
    found = await anyio.to_thread.run_sync(services.registry.version, name, version)
    return answer_tagged(request, _version_wire(found))


@router.get(
    "/{version}/artifact",
    summary="Download a version",
    **operation(
        {
            200: Answer(
                "The file.",
                example="(bytes)",
                headers=("ETag", "Content-Disposition"),
                media_types=_ARTIFACT_TYPES[:1],
            ),
            304: Answer("Unchanged."),
        },
        (404,),
        headers=("If-None-Match",),
    ),
)
async def get_artifact(
    request: Request, name: ModelName, version: VersionNumber, services: Services
) -> Response:
    """The version as one safetensors file whose metadata holds the manifest."""

    def read() -> tuple[ModelVersion, bytes]:
        return services.registry.version(name, version), services.registry.artifact(name, version)

    found, artifact = await anyio.to_thread.run_sync(read)
    disposition = f'attachment; filename="{found.model}-{found.version}.safetensors"'
    response = Response(artifact, headers={"Content-Disposition": disposition}, media_type=_ARTIFACT_TYPES[0])
    return tagged(request, response, etag_of(found.artifact_sha256))


@router.delete(
    "/{version}",
    summary="Delete a version",
    **operation({204: Answer("It is gone.")}, (404, 409)),
)
async def delete_version(name: ModelName, version: VersionNumber, services: Services) -> Response:
    """Remove a version. 409 while an alias or an adaptation that has not expired points at it."""
    await anyio.to_thread.run_sync(services.registry.delete_version, name, version)
    return Response(status_code=204)


def _signature_wire(signature: Signature) -> SignatureResponse | PolicySignatureResponse:
    plain = msgspec.to_builtins(signature)
    if signature.actions is None:
        return SignatureResponse.model_validate(plain)
    plain["observations"] = plain.pop("inputs")
    return PolicySignatureResponse.model_validate(plain)


def _version_wire(version: ModelVersion) -> ModelVersionResponse:
    return ModelVersionResponse(
        model=version.model,
        version=version.version,
        aliases=list(version.aliases),
        task=version.task,
        signature=_signature_wire(version.signature),
        learner=LearnerResponse(
            algorithm=msgspec.to_builtins(version.learner.algorithm),
            network=msgspec.to_builtins(version.learner.network),
            adjustable=list(version.learner.algorithm.adjustable),
            max_ways=version.max_ways,
            takes_fewer_columns=columns_of(version.learner, version.signature) is not None,
            normalise=version.learner.normalise,
            members=version.learner.members,
            views=version.learner.views,
            turns=version.learner.turns,
        ),
        training=version.training,
        metrics=version.metrics,
        artifact=ArtifactReference(sha256=version.artifact_sha256, bytes=version.artifact_bytes),
        created_at=version.created_at,
    )
