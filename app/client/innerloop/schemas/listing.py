"""Lists of anything, newest first."""

from typing import Generic, Literal, TypeVar

from .base import ResponseBody

T = TypeVar("T")


class ListResponse(ResponseBody, Generic[T]):
    """One page; pass `next` as `after` for the one that follows."""

    object: Literal["list"] = "list"
    data: list[T]
    has_more: bool
    next: str | None
