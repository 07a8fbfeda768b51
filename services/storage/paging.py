"""Lists by the page, newest first. The cursor is where a page ended, never an offset, so new rows shift nothing."""

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta
from sqlalchemy import Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.errors import Invalid

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

# A unique key that sorts by the time it was made, or else the moment of creation before a unique key.
Order = tuple[InstrumentedAttribute[Any]] | tuple[InstrumentedAttribute[datetime], InstrumentedAttribute[Any]]

T = TypeVar("T")
R = TypeVar("R")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some of a list. `next` is the cursor of the page after it, None on the last one."""

    data: list[T]
    next: str | None = None


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    table: str
    created_at: datetime | None  # where the moment is part of the order
    # Cursors come back from outside: no number that a column cannot hold, no character that Postgres refuses.
    key: Annotated[str, Meta(pattern="^[!-~]+$")] | Annotated[int, Meta(ge=0, le=2**31 - 1)]


def paginate(
    session: Session,
    rows: Select[R],
    order: Order,
    limit: int,
    after: str | None,
) -> Page[R]:
    """One page of `rows`, by the columns of `order` descending.

    Raises Invalid for a limit outside 1..100, or a cursor that this function did not make for this table.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"limit must lie between 1 and {MAX_LIMIT}")
    *moment, key = order
    table = key.class_.__tablename__
    if after is not None:
        cursor = _decode(after, table, key.type.python_type, timed=bool(moment))
        rows = rows.where(tuple_(*order) < tuple_(*([cursor.created_at] if moment else []), cursor.key))
    found = list(session.scalars(rows.order_by(*(column.desc() for column in order)).limit(limit + 1)))
    page = found[:limit]
    if len(found) <= limit:
        return Page(page)
    last = page[-1]
    created_at = getattr(last, moment[0].key) if moment else None
    return Page(page, _encode(_Cursor(table, created_at, getattr(last, key.key))))


def mapped(page: Page[R], record: Callable[[R], T]) -> Page[T]:
    """The same page with each row turned into its record."""
    return Page([record(row) for row in page.data], page.next)


def _encode(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _decode(text: str, table: str, key_type: type, *, timed: bool) -> _Cursor:
    try:
        cursor = msgspec.json.decode(
            base64.b64decode(text + "=" * (-len(text) % 4), b"-_", True), type=_Cursor
        )
    except (ValueError, msgspec.MsgspecError):
        cursor = None
    if cursor is None or cursor.table != table or not isinstance(cursor.key, key_type):
        raise Invalid("'after' is not a cursor that this service gave")
    at = cursor.created_at
    if (at is not None) != timed or (at is not None and at.tzinfo is None):
        raise Invalid("'after' is not a cursor that this service gave")
    return cursor
