"""Idempotency-Key on POST: the first request does the work, a repeat gets the first one's answer.

Knows which answers are kept: those that the same request would get again, and that are not long. A 5xx, 408 or
429 is not one; and thousands of predictions are sooner made again than kept for a day.
"""

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from app.errors import problem_of
from app.problems import Problem
from app.requests.binary_frame import LENGTH_HEADER
from services.errors import Conflict, Malformed, ServiceError
from services.idempotency.records import Fresh, Replay
from services.idempotency.service import IdempotencyService

logger = logging.getLogger(__name__)

Work = Callable[[str | None], Awaitable[Response]]
"""Does the work and answers; takes the random part for the id of what it makes, None without a key."""

HEADER = "idempotency-key"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_KEPT_HEADERS = frozenset({"content-type", "location", "etag", LENGTH_HEADER})
_NOT_KEPT = frozenset({408, 429})
MOST_KEPT_BYTES = 1 << 20


def fingerprint_of(body_sha256: str, query: str, frame_length: str | None) -> str:
    """What must be equal for two requests to be the same: the body, the query, and where the body's JSON ends."""
    return hashlib.sha256("\n".join((body_sha256, query, frame_length or "")).encode()).hexdigest()


async def once(
    request: Request, body_sha256: Callable[[], str], idempotency: IdempotencyService, work: Work
) -> Response:
    """Answer with `work`, or with what an earlier request of the same key and body was answered.

    `body_sha256` is only asked for where there is a key.
    Answers 409 while the first request runs. Raises Malformed for a key that is none, Invalid for another body.
    """
    key = _key_of(request)
    if key is None:
        return await work(None)
    slot = (request.state.principal, request.method, request.scope["path"], key)

    def begin() -> Fresh | Replay:
        # In the thread too: the digest of a model version's file takes a good part of a second.
        fingerprint = fingerprint_of(body_sha256(), request.url.query, request.headers.get(LENGTH_HEADER))
        return idempotency.begin(*slot, fingerprint=fingerprint)

    try:
        begun = await anyio.to_thread.run_sync(begin)
    except Conflict as error:
        # Unlike other conflicts this one passes, and then the answer is there.
        return Problem(409, error.detail, request.state.request_id, headers={"Retry-After": "1"})
    if isinstance(begun, Replay):
        headers = {**begun.headers, "Idempotent-Replayed": "true"}
        return Response(begun.body, begun.status, headers)
    try:
        response = await _answered(request, work, begun.resource_token)
    except BaseException:
        await _remember(lambda: idempotency.abandon(*slot))
        raise
    if _is_kept(response):
        kept = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
        await _remember(lambda: idempotency.finish(*slot, response.status_code, kept, bytes(response.body)))
    else:
        await _remember(lambda: idempotency.abandon(*slot))
    return response


def _is_kept(response: Response) -> bool:
    passing = response.status_code >= 500 or response.status_code in _NOT_KEPT
    return not passing and len(response.body) <= MOST_KEPT_BYTES


async def _answered(request: Request, work: Work, token: str) -> Response:
    try:
        return await work(token)
    except ServiceError as error:
        return problem_of(error, request.state.request_id)


async def _remember(call: Callable[[], None]) -> None:
    """The work is done; that its caller has gone away must not keep it from being remembered.

    And that it cannot be remembered must not keep its caller from the answer: a repeat then has to wait for the
    lease to end, and does the work again, which makes nothing twice.
    """
    with anyio.CancelScope(shield=True):
        try:
            await anyio.to_thread.run_sync(call)
        except ServiceError:
            logger.warning("the answer to an Idempotency-Key cannot be kept now", exc_info=True)


def _key_of(request: Request) -> str | None:
    """The key, quoted (as the IETF draft writes it) or bare."""
    header = request.headers.get(HEADER)
    if header is None:
        return None
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise Malformed("an Idempotency-Key is 1 to 255 printable ASCII characters")
    return key
