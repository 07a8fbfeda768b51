"""RFC 9457 problem details as an answer. Knows the form and the kinds of problem; not where they come from."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from innerloop.schemas.problems import FaultResponse, ProblemResponse
from services.errors import Fault

logger = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:innerloop:problem:"

TITLES = {
    400: "Malformed request",
    401: "Credentials needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict with the present state",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid input",
    429: "Quota exceeded",
    500: "Defect in the service",
    501: "Not supported",
    503: "Unavailable",
}
"""The title that goes with each status; a problem's `type` is made from it."""

_LINGER_SECONDS = 5.0


class Problem(Response):
    """An answer of the kind `application/problem+json`; `extensions` are further members, as JSON-ready data."""

    media_type = PROBLEM_MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str,
        request_id: str | None,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        title = TITLES.get(status) or HTTPStatus(status).phrase
        problem = ProblemResponse(
            type=problem_type(title),
            title=title,
            status=status,
            detail=detail,
            request_id=request_id,
            errors=[FaultResponse(pointer=fault.pointer, detail=fault.detail) for fault in faults],
        )
        document = problem.model_dump(exclude=None if faults else {"errors"})
        super().__init__(json.dumps({**document, **extensions}), status_code=status, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.status_code == 413:
            await self._answer_and_linger(receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _answer_and_linger(self, receive: Receive, send: Send) -> None:
        """Answer, then drop what the client is still sending for a while before the connection is closed.

        Closing at once would reset the connection under a client that writes its whole body before it reads,
        and so lose the answer on its way.
        """
        headers = [*self.raw_headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while (await receive()).get("more_body", False):
                    pass
        except TimeoutError:
            logger.info("stopped listening to a body that is too large")
        await send({"type": "http.response.body", "body": b""})


def problem_type(title: str) -> str:
    """The stable URI of a kind of problem."""
    return TYPE_PREFIX + title.lower().replace(" ", "-")
