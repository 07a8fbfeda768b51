"""Aliases over HTTP: movable names for versions, moved without races by If-Match."""

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.dependencies import Services, Settings
from app.operations import Answer, json_body, operation
from app.requests.bodies import parse_body, read_body
from app.requests.conditions import demands_absence, etag_of, expected_revision
from app.requests.parameters import AliasName, ModelName
from app.responses import examples
from app.responses.answers import answer, answer_tagged
from innerloop.schemas.models import AliasRequest, AliasResponse
from services.errors import NotFound, PreconditionFailed
from services.registry.records import Alias

router = APIRouter(prefix="/v1/models/{name}/aliases", tags=["Models"])


@router.get(
    "/{alias}",
    summary="Get an alias",
    **operation(
        {200: Answer("The alias.", AliasResponse, examples.ALIAS, ("ETag",)), 304: Answer("Unchanged.")},
        (404,),
        headers=("If-None-Match",),
    ),
)
async def get_alias(request: Request, name: ModelName, alias: AliasName, services: Services) -> Response:
    """Where an alias points; its ETag counts its moves."""
    found = await anyio.to_thread.run_sync(services.registry.alias, name, alias)
    return answer_tagged(request, _alias_wire(found), etag_of(found.revision))


@router.put(
    "/{alias}",
    summary="Set an alias",
    **operation(
        {200: Answer("The alias.", AliasResponse, examples.ALIAS, ("ETag",))},
        (404, 412),
        body=json_body(AliasRequest, "a version"),
        headers=("If-Match", "If-None-Match"),
    ),
)
async def set_alias(
    request: Request, name: ModelName, alias: AliasName, services: Services, settings: Settings
) -> Response:
    """Point an alias at a version, making it where it is new. `champion` is what the bare name means."""
    draft, _ = await parse_body(request, await read_body(request, settings.body_bytes), AliasRequest)

    def present() -> int:
        try:
            return services.registry.alias(name, alias).revision
        except NotFound as error:
            services.registry.model(name)  # where even that is missing, no condition matters
            raise PreconditionFailed(f"the alias {alias!r} is not set") from error

    def move() -> Alias:
        revision = expected_revision(request, present)
        return services.registry.set_alias(
            name, alias, draft.version, if_match=revision, if_none_match=demands_absence(request)
        )

    moved = await anyio.to_thread.run_sync(move)
    return answer(_alias_wire(moved), headers={"ETag": etag_of(moved.revision)})


@router.delete(
    "/{alias}",
    summary="Delete an alias",
    **operation({204: Answer("It is gone.")}, (404, 412), headers=("If-Match",)),
)
async def delete_alias(request: Request, name: ModelName, alias: AliasName, services: Services) -> Response:
    """Remove an alias; the version stays."""

    def delete() -> None:
        revision = expected_revision(request, lambda: services.registry.alias(name, alias).revision)
        services.registry.delete_alias(name, alias, if_match=revision)

    await anyio.to_thread.run_sync(delete)
    return Response(status_code=204)


def _alias_wire(alias: Alias) -> AliasResponse:
    return AliasResponse(
        name=alias.alias,
        model=alias.model,
        version=alias.version,
        created_at=alias.created_at,
        updated_at=alias.updated_at,
    )
