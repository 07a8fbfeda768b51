"""How errors are told to clients of the Open Inference Protocol: `{"error": "text"}` for everything under /v2.

The one place that tells the dialects apart, by the path alone. Inside, every error is a problem (`app.problems`);
on its way out it is put into the words of whoever asked, so that nothing else has to know that there are two.
"""

import json
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

from app.problems import PROBLEM_MEDIA_TYPE

_PREFIX = "/v2"
_MEDIA_TYPE = "application/json"
_STATUSES = {422: 400}
"""That protocol knows no difference between what cannot be read and what breaks a rule."""


def speaks_inference(path: str) -> bool:
    """Whether the path belongs to the Open Inference Protocol."""
    return path == _PREFIX or path.startswith(f"{_PREFIX}/")


def inference_status(status: int) -> int:
    """The status that a problem of this one has there."""
    return _STATUSES.get(status, status)


def error_text(problem: Mapping[str, Any]) -> str:
    """One sentence for people: what happened, and where the first fault is."""
    detail = str(problem["detail"])
    faults = problem.get("errors") or ()
    if not faults or not faults[0]["pointer"] or faults[0]["pointer"] in detail:
        return detail
    pointer, fault = faults[0]["pointer"], faults[0]["detail"]
    return f"{pointer}: {detail}" if fault in detail else f"{detail}: {pointer}: {fault}"


def in_dialect(path: str, send: Send) -> Send:
    """`send` for an answer to that path: under /v2 it turns problems into that protocol's errors."""
    if not speaks_inference(path):
        return send
    start: Message | None = None

    async def translate(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and _is_problem(message):
            start = message  # until its body is there: that tells the length
            return
        if start is None:
            await send(message)
            return
        # A problem's body comes whole; what may follow it is only the end of the answer.
        body = json.dumps({"error": error_text(json.loads(message["body"]))}).encode()
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["Content-Type"] = _MEDIA_TYPE
        headers["Content-Length"] = str(len(body))
        begun = {**start, "status": inference_status(start["status"]), "headers": headers.raw}
        start = None
        await send(begun)
        await send({**message, "body": body})

    return translate


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type") == PROBLEM_MEDIA_TYPE
