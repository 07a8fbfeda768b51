"""The built-in configurations over HTTP."""

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from app.dependencies import After, Limit, Services
from app.operations import Answer, operation
from app.responses import examples
from app.responses.answers import listed_of
from innerloop.schemas.jobs import RecipeResponse, RecipeTimes
from innerloop.schemas.listing import ListResponse
from models.training.recipe_figures import FIGURES

router = APIRouter(prefix="/v1/recipes", tags=["Jobs"])


@router.get(
    "",
    summary="List recipes",
    **operation(
        {200: Answer("A page of them.", ListResponse[RecipeResponse], examples.one_page(examples.RECIPE))},
        (422,),
    ),
)
async def list_recipes(services: Services, limit: Limit = 20, after: After = None) -> Response:
    """Configurations that are known to work, each in full; a job names one and overrides what it likes."""
    return listed_of(
        services.jobs.recipes(),
        lambda recipe: recipe.name,
        lambda recipe: RecipeResponse(
            name=recipe.name,
            description=recipe.description,
            config=msgspec.to_builtins(recipe.config),
            created_at=recipe.created_at,
            needs=recipe.needs or None,
            reaches=FIGURES[recipe.name].reaches,
            takes=RecipeTimes(cpu=FIGURES[recipe.name].cpu, gpu=FIGURES[recipe.name].gpu),
        ),
        limit,
        after,
    )
