"""The HTTP application: routes, middleware, errors, documentation. Nothing reachable from here imports torch."""

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from prometheus_client import CollectorRegistry
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from app import routes
from app.auth import Authentication
from app.direct import Direct
from app.errors import install_error_handlers
from app.head import Head
from app.lifespan import OpenServices, lifespan_of
from app.middleware import RequestContext
from app.openapi import install_openapi
from app.settings import HttpSettings
from innerloop.schemas import (
    adaptations,
    datasets,
    inference,
    jobs,
    models,
    operations,
    predictions,
    problems,
)
from innerloop.schemas.listing import ListResponse
from services.telemetry.http_metrics import HttpMetrics

_DESCRIPTION = """
Adapt a meta-trained model to a new task from a handful of examples, and query the result.

Times are RFC 3339 in UTC, durations are seconds. Errors are `application/problem+json` (RFC 9457): `type` says
which kind, `errors` points at every place of an invalid body. Lists come by the page, newest first: pass `next`
as `after`. `X-Request-Id` is taken or made, and echoed. `Idempotency-Key` is honoured on every POST.

Under `/v2` an adaptation answers clients of the Open Inference Protocol; errors there are that protocol's own.
"""
_TAGS = [
    {"name": "Adaptations", "description": "A model, a support set, and what came of it."},
    {"name": "Predictions", "description": "Queries of an adapted model."},
    {
        "name": "Open Inference Protocol",
        "description": "The same queries for that protocol's clients (KServe, Triton): an adaptation is a model.",
    },
    {"name": "Models", "description": "The registry: models, immutable versions, movable aliases."},
    {"name": "Jobs", "description": "Meta-training in the background, from recipes or whole configurations."},
    {"name": "Datasets", "description": "Labelled examples to meta-train on."},
    {"name": "Operations", "description": "Health, metrics, limits."},
]
WIRE_TYPES = (
    adaptations.AdaptationRequest,
    adaptations.AdaptationResponse,
    datasets.DatasetResponse,
    inference.InferenceErrorResponse,
    inference.InferRequest,
    inference.InferResponse,
    inference.ModelMetadataResponse,
    inference.ModelReadyResponse,
    inference.ServerLiveResponse,
    inference.ServerMetadataResponse,
    inference.ServerReadyResponse,
    jobs.CheckpointResponse,
    jobs.JobEventResponse,
    jobs.JobRequest,
    jobs.JobResponse,
    jobs.RecipeResponse,
    models.AliasRequest,
    models.AliasResponse,
    models.ModelResponse,
    models.ModelVersionResponse,
    operations.LimitsResponse,
    operations.LivenessResponse,
    operations.ReadinessResponse,
    predictions.AdaptPredictRequest,
    predictions.PredictionsRequest,
    predictions.PredictionsResponse,
    problems.ProblemResponse,
    ListResponse[adaptations.AdaptationResponse],
    ListResponse[datasets.DatasetResponse],
    ListResponse[jobs.CheckpointResponse],
    ListResponse[jobs.JobEventResponse],
    ListResponse[jobs.JobResponse],
    ListResponse[jobs.RecipeResponse],
    ListResponse[models.ModelResponse],
    ListResponse[models.ModelVersionResponse],
)


class _Application(FastAPI):
    """Without the framework's outermost layers, which every request would pass through.

    A defect is answered by `RequestContext`, bodies are bounded where they are read, telemetry is our own.
    """

    def build_middleware_stack(self) -> ASGIApp:
        stack: ASGIApp = ExceptionMiddleware(
            AsyncExitStackMiddleware(self.router), handlers=self.exception_handlers
        )
        for layer, args, kwargs in reversed(self.user_middleware):
            stack = layer(stack, *args, **kwargs)
        return stack


def create_app(settings: HttpSettings, open_services: OpenServices) -> FastAPI:
    """The application. `open_services` is entered when it starts, in the event loop that serves."""
    app = _Application(
        title="Innerloop",
        version=version("innerloop"),
        summary="Few-shot adaptation over HTTP.",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan_of(open_services),
        # A redirect would answer a POST with something that is neither done nor a problem.
        redirect_slashes=False,
        # What generated clients call their methods.
        generate_unique_id_function=lambda route: route.name,
        redoc_url=None,
        # The service counts and logs by itself; each request would look for OpenTelemetry's settings three times.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.registry = CollectorRegistry()
    for router in routes.ROUTERS:
        app.include_router(router)
    # The application keeps each router as one, so their routes are put together here.
    known = [route for router in (*routes.ROUTERS, app.router) for route in router.routes]
    install_error_handlers(app, known)
    install_openapi(app, WIRE_TYPES)
    app.add_middleware(Direct, routes=known, endpoints=routes.DIRECT)
    app.add_middleware(Authentication, api_key=settings.api_key)
    # Each is outside of those before it.
    app.add_middleware(RequestContext, metrics=HttpMetrics(app.state.registry))
    app.add_middleware(Head)
    return app
