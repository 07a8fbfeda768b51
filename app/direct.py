"""The endpoints that thousands of requests a second go to, called without the framework's way to them.

FastAPI documents these like all others. But its way, past every router and through the asking for parameters that
they do not take, costs more than all that a prediction has to do in this process. Answers are the same either way.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import http_problem_of, problem_of
from services.errors import ServiceError

Endpoint = Callable[[Request], Awaitable[Response]]
"""Takes all that it needs from the request by itself."""


class Direct:
    """Innermost: around the framework's own routing, which gets every other request."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute], endpoints: Iterable[Endpoint]) -> None:
        """`endpoints` are of some of the `routes`; no other route has the path and the method of one of these."""
        self._app = app
        wanted: frozenset[Any] = frozenset(endpoints)
        self._routes = tuple(
            (route, route.path_regex, route.methods or set())
            for route in routes
            if isinstance(route, APIRoute) and route.endpoint in wanted
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for route, path, methods in self._routes:
                if (found := path.match(scope["path"])) and scope["method"] in methods:
                    scope["route"], scope["path_params"] = route, found.groupdict()
                    response = await _answered(route.endpoint, _Request(scope, receive, send))
                    return await response(scope, receive, send)
        return await self._app(scope, receive, send)


async def _answered(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except ServiceError as error:
        return problem_of(error, request.state.request_id)
    except HTTPException as error:
        return http_problem_of(error, request)


class _Headers(Headers):
    """Found by their names: an endpoint asks for half a dozen, and the framework goes through all for each."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        super().__init__(raw=raw)
        self._first = dict(reversed(raw))

    def get(self, key: str, default: Any = None) -> Any:
        value = self._first.get(key.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")


class _Request(Request):
    @property
    def headers(self) -> Headers:
        if not hasattr(self, "_headers"):
            self._headers = _Headers(self.scope["headers"])
        return self._headers
