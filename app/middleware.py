"""What surrounds every request: its id, its line in the log, its count, and an answer whatever happens."""

import logging
import re
import time
from collections.abc import Iterable
from itertools import count, repeat

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import defect
from app.inference_dialect import in_dialect
from services.ids import new_id
from services.telemetry.http_metrics import HttpMetrics
from services.telemetry.logging import request_id_bound

logger = logging.getLogger(__name__)

_HEADER = b"x-request-id"
_SAFE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_UNROUTED = "unrouted"
_BUSY = ("/adaptations", "/predictions", "/infer")
"""Ends of the routes that thousands of POSTs a second may go to."""
_FAILED = 400
_CLIENT_LEFT = 499
"""What the log and the metrics call a request whose client went away before it was answered."""


class RequestContext:
    """Outermost. Takes or makes the request id, echoes it on every answer, and turns a defect into a 500."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics
        # Asking the kernel for random bytes takes as long as all else that is done here.
        self._ids = map("{}{:08x}".format, repeat(new_id("req")[:-8]), count())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = _given_id(scope["headers"]) or next(self._ids)
        scope.setdefault("state", {})["request_id"] = request_id
        header = (_HEADER, request_id.encode("ascii"))
        began = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], header]
            await send(message)

        # Within the count and the log, so that they have the status that the caller gets.
        spoken = in_dialect(scope["path"], send_with_id)
        self._metrics.in_flight += 1
        with request_id_bound(request_id):
            try:
                await self._app(scope, receive, spoken)
            except ClientDisconnect:
                status = status or _CLIENT_LEFT
            except Exception:
                logger.exception("defect")
                if status:
                    # The answer is under way: cutting the connection is the only way left to say so.
                    raise
                await defect(request_id)(scope, receive, spoken)
            finally:
                self._metrics.in_flight -= 1
                self._record(scope, status, time.perf_counter() - began)
        return None

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", _UNROUTED)
        self._metrics.observe(scope["method"], route, status, seconds)
        level = _level(scope["method"], route, status)
        if logger.isEnabledFor(level):
            # The path as it was sent: the decoded one may hold line breaks.
            line = f"{scope['method']} {scope['raw_path'].decode('ascii', 'replace')} {status}"
            logger.log(level, line, extra={"route": route, "ms": round(seconds * 1000, 2)})


def _given_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The caller's own id for the request, if it can be one; header names are in lower case."""
    for name, value in headers:
        if name == _HEADER:
            return value.decode("ascii") if _SAFE.fullmatch(value) else None
    return None


def _level(method: str, route: str, status: int) -> int:
    """What changes the service or fails is worth a line; what its metrics count by the thousand is not."""
    everyday = method in ("GET", "HEAD") or (method == "POST" and route.endswith(_BUSY))
    return logging.DEBUG if everyday and status < _FAILED else logging.INFO
