"""Reads problem details into errors. Tolerant: what answers an error may be a proxy that knows no problem+json."""

import json
from typing import Any

import httpx

from .errors import APIError, Fault, error_class


def error_of(response: httpx.Response, retry_after: float | None = None) -> APIError:
    """The typed error for an answer that is one; wrongly typed members are ignored, as RFC 9457 asks."""
    problem = _document(response)
    status = response.status_code
    return error_class(status)(
        status,
        type=_text(problem.get("type")) or "about:blank",
        title=_text(problem.get("title")) or response.reason_phrase,
        detail=_text(problem.get("detail")) or _text(problem.get("title")) or _fallback(response),
        errors=_faults(problem.get("errors")),
        request_id=_text(problem.get("request_id")) or response.headers.get("X-Request-Id"),
        retry_after=retry_after,
    )


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
