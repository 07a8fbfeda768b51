"""Models over HTTP: the names under which versions are registered."""

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.dependencies import After, Limit, Services
from app.operations import Answer, operation
from app.requests.parameters import ModelName
from app.responses import examples
from app.responses.answers import answer_tagged, listed
from innerloop.schemas.listing import ListResponse
from innerloop.schemas.models import ModelResponse
from services.registry.records import Model

router = APIRouter(prefix="/v1/models", tags=["Models"])


@router.get(
    "",
    summary="List models",
    **operation(
        {
            200: Answer(
                "A page, newest first.", ListResponse[ModelResponse], examples.one_page(examples.MODEL)
            )
        },
        (422,),
    ),
)
async def list_models(services: Services, limit: Limit = 20, after: After = None) -> Response:
    """Every name under which versions are registered, with its aliases."""
    return listed(await anyio.to_thread.run_sync(services.registry.models, limit, after), _model_wire)


@router.get(
    "/{name}",
    summary="Get a model",
    **operation(
        {200: Answer("The model.", ModelResponse, examples.MODEL, ("ETag",)), 304: Answer("Unchanged.")},
        (404,),
        headers=("If-None-Match",),
    ),
)
async def get_model(request: Request, name: ModelName, services: Services) -> Response:
    """One model: its newest version and its aliases."""
    return answer_tagged(request, _model_wire(await anyio.to_thread.run_sync(services.registry.model, name)))


def _model_wire(model: Model) -> ModelResponse:
    return ModelResponse(
        name=model.name,
        latest_version=model.latest_version,
        aliases=model.aliases,
        created_at=model.created_at,
    )
