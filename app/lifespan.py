"""What the api process holds from its first request to its last."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from app.drain import Drain
from app.few import Few
from services.api_bootstrap import ApiServices
from services.telemetry.metrics import JobsCollector

_FILES_AT_ONCE = 2
_FILES_WAITING = 16

OpenServices = Callable[[], AbstractAsyncContextManager[ApiServices]]
"""Makes the services inside the event loop that uses them, and closes them there."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def lifespan_of(open_services: OpenServices) -> Lifespan:
    """Open the services, leave them on `app.state`, close them."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.services = services
            app.state.drain = Drain()
            app.state.files = Few(_FILES_AT_ONCE, _FILES_WAITING)
            JobsCollector(app.state.registry, services.jobs.counts)
            yield

    return lifespan
