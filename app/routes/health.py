"""What an operator asks: does it live, is it ready, how is it doing. Health needs no key."""

from collections.abc import Callable
from contextlib import suppress

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.dependencies import Draining, Services
from app.drain import Drain
from app.operations import Answer, operation
from app.problems import Problem
from app.readiness import readiness
from app.responses import examples
from app.responses.answers import answer
from innerloop.schemas.operations import LivenessResponse, ReadinessResponse
from services.api_bootstrap import ApiServices
from services.errors import Unavailable
from services.telemetry.metrics import CONTENT_TYPE, render

router = APIRouter(tags=["Operations"])


@router.get("/", include_in_schema=False)
async def front_page() -> Response:
    """The address alone is what people click: they are shown the documentation."""
    return RedirectResponse("/docs", status_code=303)


@router.get(
    "/livez",
    summary="Does this process live?",
    **operation({200: Answer("It does.", LivenessResponse, {"status": "alive"})}, ()),
)
async def livez() -> Response:
    """200 as long as this process answers at all; asks nobody else."""
    return answer(LivenessResponse())


@router.get(
    "/readyz",
    summary="Is the service ready?",
    **operation(
        {
            200: Answer("Engine, database and worker answer.", ReadinessResponse, examples.READY),
        },
        (503,),
    ),
)
async def readyz(request: Request, services: Services, drain: Draining) -> Response:
    """200 where everything that is needed to serve answers; else 503, and `checks` gives the reasons."""
    return await answer_readiness(request, services, drain, answer)


@router.get(
    "/metrics",
    summary="Get metrics",
    **operation(
        {200: Answer("Prometheus's text format.", example=examples.METRICS, media_types=("text/plain",))}, ()
    ),
)
async def metrics(request: Request, services: Services) -> Response:
    """Requests by route and status, their durations, jobs by status, and the engine's passes while it answers."""
    # Counting the jobs is a query.
    body = await anyio.to_thread.run_sync(render, request.app.state.registry)
    with suppress(Unavailable):
        body += await services.engine.metrics()
    return Response(body, media_type=CONTENT_TYPE)


async def answer_readiness(
    request: Request, services: ApiServices, drain: Drain, ready: Callable[[ReadinessResponse], Response]
) -> Response:
    """What `ready` makes of readiness, or a 503 with the reasons."""
    found = await readiness(services, drain)
    if found.status == "ready":
        return ready(found)
    reasons = "; ".join(f"{name}: {check.detail}" for name, check in found.checks.items() if not check.ok)
    return Problem(
        503,
        reasons,
        request.state.request_id,
        headers={"Retry-After": "1"},
        extensions={"checks": found.model_dump()["checks"]},
    )
