"""What routes are handed: the services, the settings, the drain. Kept on `app.state` by the lifespan."""

from typing import Annotated

from fastapi import Depends, Query, Request

from app.drain import Drain
from app.few import Few
from app.settings import HttpSettings
from services.api_bootstrap import ApiServices


def services_of(request: Request) -> ApiServices:
    """For the routes that thousands a second go through: FastAPI's own way costs them a third of their time."""
    services: ApiServices = request.app.state.services
    return services


def settings_of(request: Request) -> HttpSettings:
    settings: HttpSettings = request.app.state.settings
    return settings


# These are coroutines because FastAPI sends plain functions to a thread.
async def _services(request: Request) -> ApiServices:
    return services_of(request)


async def _settings(request: Request) -> HttpSettings:
    return settings_of(request)


async def _drain(request: Request) -> Drain:
    drain: Drain = request.app.state.drain
    return drain


async def _files(request: Request) -> Few:
    files: Few = request.app.state.files
    return files


Services = Annotated[ApiServices, Depends(_services)]
Settings = Annotated[HttpSettings, Depends(_settings)]
Draining = Annotated[Drain, Depends(_drain)]
Files = Annotated[Few, Depends(_files)]
"""The turns of uploaded files."""

Limit = Annotated[int, Query(ge=1, le=100, description="The most entries to answer with.", examples=[20])]
After = Annotated[
    str | None,
    Query(max_length=1024, description="`next` of the page before; absent for the first.", examples=[None]),
]
