"""Answers made from bytes that are JSON already: wire types, lists of them, and conditional GETs."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pydantic
from starlette.requests import Request
from starlette.responses import Response

from app.requests.conditions import digest_etag, tagged
from innerloop.schemas.listing import ListResponse
from services.errors import Invalid
from services.storage.paging import Page

R = TypeVar("R")
W = TypeVar("W", bound=pydantic.BaseModel)

JSON = "application/json"


def answer(wire: pydantic.BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A wire type as JSON."""
    return Response(wire.model_dump_json(by_alias=True), status, headers, JSON)


def listed(page: Page[R], wire: Callable[[R], W]) -> Response:
    """A page of records as a list of their wire types."""
    data = [wire(record) for record in page.data]
    return answer(ListResponse[Any](data=data, has_more=page.next is not None, next=page.next))


def listed_of(
    records: Sequence[R], name: Callable[[R], str], wire: Callable[[R], W], limit: int, after: str | None
) -> Response:
    """A page of records that are all at hand; the cursor is the `name` of a page's last one. Raises Invalid."""
    names = [name(record) for record in records]
    if after is not None and after not in names:
        raise Invalid("'after' is not a cursor that this service gave")
    start = 0 if after is None else names.index(after) + 1
    end = start + limit
    return listed(Page(list(records[start:end]), names[end - 1] if end < len(names) else None), wire)


def answer_tagged(request: Request, wire: pydantic.BaseModel, etag: str | None = None) -> Response:
    """The answer to a GET with its ETag (by default a digest of it), or 304."""
    response = answer(wire)
    return tagged(request, response, etag or digest_etag(bytes(response.body)))
