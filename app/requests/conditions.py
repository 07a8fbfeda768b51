"""ETag, If-Match and If-None-Match (RFC 9110, section 13). Knows tags; not what they stand for."""

import hashlib
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from services.errors import PreconditionFailed

_NO_REVISION = -1


def etag_of(revision: int | str) -> str:
    """A strong tag for a revision number, or for the sha256 of something immutable."""
    return f'"{revision}"'


def digest_etag(body: bytes) -> str:
    """A strong tag for a representation that has no revision of its own."""
    return etag_of(hashlib.sha256(body).hexdigest()[:32])


def tagged(request: Request, response: Response, etag: str) -> Response:
    """The answer to a GET with its tag, or 304 where the caller has it already."""
    if_none_match = request.headers.get("if-none-match")
    if if_none_match is not None:
        # A conditional GET compares weakly: W/"3" matches "3".
        known = {tag.removeprefix("W/") for tag in _tags(if_none_match)}
        if etag in known or "*" in known:
            return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return response


def expected_revision(request: Request, present: Callable[[], int]) -> int | None:
    """The revision that If-Match demands, for a service to compare within its transaction; None without it.

    `present` reads the revision as it is now (raising NotFound), for If-Match forms that name several or any.
    A tag that is no revision of ours gives one that nothing has.
    """
    if_match = request.headers.get("if-match")
    if if_match is None:
        return None
    tags = _tags(if_match)
    if len(tags) == 1 and tags[0] != "*":
        return _revision(tags[0])
    now = present()
    if "*" in tags or etag_of(now) in tags:
        return now
    raise PreconditionFailed("If-Match names other revisions than the present one")


def demands_absence(request: Request) -> bool:
    """`If-None-Match: *` on a PUT: make it, but do not change what is there."""
    return request.headers.get("if-none-match", "").strip() == "*"


def _tags(header: str) -> list[str]:
    return [tag.strip() for tag in header.split(",") if tag.strip()]


def _revision(tag: str) -> int:
    # If-Match compares strongly, so a weak tag matches nothing.
    digits = tag[1:-1] if len(tag) > 2 and tag[0] == tag[-1] == '"' else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else _NO_REVISION
