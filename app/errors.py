"""Every error that leaves a route, as a problem. Knows which HTTP status each of the services' errors has."""

import math
from collections.abc import Iterable, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from app.problems import Problem
from services.errors import (
    Conflict,
    Fault,
    Invalid,
    Malformed,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    ServiceError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)

_STATUSES: dict[type[ServiceError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    NotFound: 404,
    Conflict: 409,
    PreconditionFailed: 412,
    TooLarge: 413,
    UnsupportedMediaType: 415,
    Invalid: 422,
    QuotaExceeded: 429,
    Unavailable: 503,
}


def problem_of(error: ServiceError, request_id: str | None) -> Problem:
    """The answer to an error of the services."""
    status = next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)
    faults: Sequence[Fault] = ()
    if isinstance(error, Invalid):
        # What is wrong with a file, a header or a parameter has no place in a JSON body.
        faults = error.faults or (Fault("", error.detail),)
    headers = {}
    if isinstance(error, QuotaExceeded | Unavailable):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="innerloop"'
    if isinstance(error, Conflict):
        # The OpenAI clients retry a 409 unless told not to; ours does not change by waiting.
        headers["x-should-retry"] = "false"
    return Problem(status, error.detail, request_id, faults, headers)


def defect(request_id: str | None) -> Problem:
    """The answer where the service itself is wrong; the log has the rest."""
    return Problem(500, "the service has a defect; its log tells more under the request id", request_id)


def http_problem_of(error: HTTPException, request: Request, methods: Iterable[str] = ()) -> Problem:
    """The framework's own: no such route (404), no such method there (405; `methods` are those that there are)."""
    details = {404: f"there is nothing at {request.scope['path']}", 405: f"not with {request.method}"}
    detail = details.get(error.status_code, error.detail)
    headers = dict(error.headers) if error.headers else {}
    if error.status_code == 405:
        headers["Allow"] = ", ".join(methods)
    return Problem(error.status_code, detail, request.state.request_id, headers=headers)


def install_error_handlers(app: FastAPI, routes: Iterable[BaseRoute]) -> None:
    """Let every error that leaves one of the routes be answered as a problem."""
    known = tuple(routes)

    async def http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return http_problem_of(error, request, _allowed(request, known) if error.status_code == 405 else ())

    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(HTTPException, http_exception)
    app.add_exception_handler(RequestValidationError, _parameters_invalid)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return problem_of(error, request.state.request_id)


def _allowed(request: Request, routes: Iterable[BaseRoute]) -> list[str]:
    """Every method of the path; the framework names those of the first route that has the path."""
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in matching for method in getattr(route, "methods", None) or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _parameters_invalid(request: Request, error: Exception) -> Response:
    """Query, header and path parameters; bodies are read by the routes themselves."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(entry["loc"][0] == "path" for entry in found):
        # A name or id that nothing can have names nothing.
        return Problem(404, f"there is nothing at {request.scope['path']}", request.state.request_id)
    details = [f"{entry['loc'][0]} parameter {entry['loc'][-1]}: {entry['msg']}" for entry in found]
    faults = [Fault("", detail) for detail in details]
    return Problem(422, "; ".join(details), request.state.request_id, faults)
