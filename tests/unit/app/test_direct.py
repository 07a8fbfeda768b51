"""What is called directly is what the framework would have called, and answers the same."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from app.direct import Direct
from app.errors import install_error_handlers
from app.middleware import RequestContext
from app.routes import DIRECT, ROUTERS
from services.errors import Conflict, NotFound, Unavailable
from services.telemetry.http_metrics import HttpMetrics

Call = Callable[[Scope, Receive, Send], Awaitable[None]]

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


@pytest.mark.parametrize("endpoint", DIRECT, ids=lambda endpoint: endpoint.__name__)
def test_the_framework_would_call_the_same(endpoint: Callable[[Request], Awaitable[Response]]) -> None:
    (route,) = [route for route in ROUTES if route.endpoint is endpoint]
    assert list(inspect.signature(endpoint).parameters) == ["request"]
    assert route.dependencies == []
    (method,) = route.methods
    path = route.path.replace("{adaptation_id}", "adp_1").replace("{revision}", "1")
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    first = next(other for other in ROUTES if other.matches(scope)[0] is Match.FULL)
    assert first is route


async def thing(request: Request) -> Response:
    """Whatever the path says."""
    name = request.path_params["name"]
    outcomes = {
        "missing": NotFound("no such thing"),
        "taken": Conflict("it is there"),
        "away": Unavailable("not now", 2.5),
        "unsupported": HTTPException(501, "not that", {"X-Extra": "1"}),
    }
    if name in outcomes:
        raise outcomes[name]
    return JSONResponse({"name": name, "body": (await request.body()).decode()}, 201)


def _app(direct: bool) -> tuple[FastAPI, list[str]]:
    app, passed = FastAPI(), []
    app.post("/things/{name}")(thing)
    install_error_handlers(app, app.router.routes)

    class Framework:
        """Notes what comes as far as the framework's own routing."""

        def __init__(self, app: Call) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            passed.append(scope["path"])
            await self._app(scope, receive, send)

    app.add_middleware(Framework)
    app.add_middleware(Direct, routes=app.router.routes, endpoints=[thing] if direct else [])
    app.add_middleware(RequestContext, metrics=HttpMetrics(CollectorRegistry()))
    return app, passed


def _asked(app: FastAPI, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    async def scenario() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, content="ä", headers={"X-Request-Id": "mine"})

    answer = asyncio.run(scenario())
    return answer.status_code, dict(answer.headers), answer.content


@pytest.mark.parametrize(
    ("method", "path", "is_direct"),
    [
        ("POST", "/things/a", True),
        ("POST", "/things/a%20b", True),
        ("POST", "/things/missing", True),
        ("POST", "/things/taken", True),
        ("POST", "/things/away", True),
        ("POST", "/things/unsupported", True),
        ("GET", "/things/a", False),
        ("POST", "/things/a/b", False),
        ("POST", "/things/", False),
        ("POST", "/other", False),
    ],
)
def test_answers_are_the_same_either_way(method: str, path: str, is_direct: bool) -> None:
    short, passed = _app(direct=True)
    long, _ = _app(direct=False)
    assert _asked(short, method, path) == _asked(long, method, path)
    assert bool(passed) is not is_direct
