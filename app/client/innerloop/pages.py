"""Lists that are fetched page by page as they are iterated over."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

from .async_connection import AsyncConnection
from .call import Call
from .connection import Connection
from .schemas.listing import ListResponse

T = TypeVar("T")

PAGE_SIZE = 100


def pages(connection: Connection, page: Callable[[int, str | None], Call[ListResponse[T]]]) -> Iterator[T]:
    """Every item of the pages that `page(limit, cursor)` asks for; the next when the one before is used up."""
    after: str | None = None
    while True:
        listing = connection.send(page(PAGE_SIZE, after))
        yield from listing.data
        if not listing.has_more or listing.next is None:
            return
        after = listing.next


async def async_pages(
    connection: AsyncConnection, page: Callable[[int, str | None], Call[ListResponse[T]]]
) -> AsyncIterator[T]:
    """Every item of the pages that `page(limit, cursor)` asks for; the next when the one before is used up."""
    after: str | None = None
    while True:
        listing = await connection.send(page(PAGE_SIZE, after))
        for item in listing.data:
            yield item
        if not listing.has_more or listing.next is None:
            return
        after = listing.next
