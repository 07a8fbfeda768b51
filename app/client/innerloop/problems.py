"""Reads problem details into errors. Tolerant: what answers an error may be a proxy that knows no problem+json.

Something else altogether, on a port that was taken for the service's, is told from both.
"""

import json
from typing import Any

import httpx

from .errors import APIError, Fault, UnexpectedAnswer, error_class

# What any server answers that does not know a path or a method; a proxy before the service has no reason to.
_UNKNOWN_ROUTE = frozenset({404, 405, 501})


def error_of(response: httpx.Response, retry_after: float | None = None) -> APIError | UnexpectedAnswer:
    """The typed error for an answer that is one; wrongly typed members are ignored, as RFC 9457 asks.

    UnexpectedAnswer where a server that is no Innerloop service does not know the route.
    """
    problem = _document(response)
    status = response.status_code
    if status in _UNKNOWN_ROUTE and not ("type" in problem or "title" in problem):
        return UnexpectedAnswer(not_a_service(response))
    return error_class(status)(
        status,
        type=_text(problem.get("type")) or "about:blank",
        title=_text(problem.get("title")) or response.reason_phrase,
        detail=_text(problem.get("detail")) or _text(problem.get("title")) or _fallback(response),
        errors=_faults(problem.get("errors")),
        request_id=_text(problem.get("request_id")) or response.headers.get("X-Request-Id"),
        retry_after=retry_after,
    )


def not_a_service(response: httpx.Response) -> str:
    """What to say where something else answers at the address."""
    url = response.request.url
    return f"{url.scheme}://{url.netloc.decode()} is not an Innerloop service; set INNERLOOP_URL"


def not_json(response: httpx.Response) -> bool:
    """Whether the body is anything but JSON."""
    try:
        json.loads(response.content)
    except ValueError:
        return True
    return False


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = json.loads(response.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _faults(value: object) -> list[Fault]:
    entries = value if isinstance(value, list) else []
    return [
        Fault(_text(entry.get("pointer")), _text(entry.get("detail")))
        for entry in entries
        if isinstance(entry, dict)
    ]


def _fallback(response: httpx.Response) -> str:
    start = " ".join(response.text[:200].split())
    return f"{response.reason_phrase or 'unknown status'}: {start}" if start else response.reason_phrase
