"""Errors: RFC 9457 problem details."""

import pydantic

from .base import ResponseBody


class FaultResponse(ResponseBody):
    """One thing wrong with the request; `pointer` is a JSON Pointer into its body.

    It is empty where the fault is in all of it, or in no JSON: a file, a header, a query parameter.
    """

    pointer: str
    detail: str


class ProblemResponse(ResponseBody):
    """`type` is what programs should look at; `detail` is for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[FaultResponse] = pydantic.Field(default_factory=list)
