"""Names and ids in paths and queries. What nothing can be called is refused before anything is asked."""

import re
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator
from starlette.requests import Request

from services.errors import NotFound

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


def _id(prefix: str, meaning: str, example: str) -> object:
    return Path(pattern=rf"^{prefix}_[0-9A-Za-z_-]{{1,64}}$", description=meaning, examples=[example])


_TOKEN = "01k2m3n4p5q6r7s8t9v0w1x2y3"  # noqa: S105 - an example of an id

_ADAPTATION = re.compile(r"adp_[0-9A-Za-z_-]{1,64}")

AdaptationId = Annotated[
    str, Path(pattern=f"^{_ADAPTATION.pattern}$", description="An adaptation.", examples=[f"adp_{_TOKEN}"])
]
JobId = Annotated[str, _id("job", "A job.", f"job_{_TOKEN}")]
DatasetId = Annotated[str, _id("ds", "A dataset.", f"ds_{_TOKEN}")]
ModelName = Annotated[str, Path(pattern=_NAME, description="A model.", examples=["functions"])]
AliasName = Annotated[str, Path(pattern=_NAME, description="An alias.", examples=["champion"])]


def _as_it_is_written(text: str) -> str:
    """A version has one address: neither 03 nor 3.0 is another."""
    if not text.isdecimal() or text.startswith("0"):
        raise ValueError("not a number as it is written")
    return text


_Number = Annotated[int, BeforeValidator(_as_it_is_written)]
_MOST = 2**31 - 1
Revision = Annotated[_Number, Path(ge=1, le=_MOST, description="An adaptation's revision.", examples=[1])]
VersionNumber = Annotated[_Number, Path(ge=1, le=_MOST, description="A version's number.", examples=[3])]
ModelFilter = Annotated[
    str | None, Query(pattern=_NAME, description="Only those of this model.", examples=["functions"])
]
ReferenceFilter = Annotated[
    str | None,
    Query(
        max_length=257,
        description="Only those of this model, or of the version meant.",
        examples=["functions"],
    ),
]

ADAPTATION_ID: dict[str, Any] = {
    "name": "adaptation_id",
    "in": "path",
    "required": True,
    "description": "An adaptation.",
    "schema": {"type": "string", "pattern": f"^{_ADAPTATION.pattern}$"},
    "example": f"adp_{_TOKEN}",
}
"""`AdaptationId` where a route reads it by itself, with `adaptation_id_of`."""

REVISION: dict[str, Any] = {
    "name": "revision",
    "in": "path",
    "required": True,
    "description": "An adaptation's revision.",
    "schema": {"type": "integer", "minimum": 1, "maximum": _MOST},
    "example": 1,
}
"""`Revision` where a route reads it by itself, with `revision_of`."""


def adaptation_id_of(request: Request) -> str:
    """The adaptation that the path names. Raises NotFound where none can be called that."""
    given: str = request.path_params["adaptation_id"]
    if not _ADAPTATION.fullmatch(given):
        raise NotFound(f"there is nothing at {request.scope['path']}")
    return given


def revision_of(request: Request) -> int:
    """The revision that the path names. Raises NotFound where it is no number as it is written."""
    given: str = request.path_params["revision"]
    # The length first: a number of a million digits takes long to read.
    if (
        len(given) <= len(str(_MOST))
        and given.isdecimal()
        and not given.startswith("0")
        and int(given) <= _MOST
    ):
        return int(given)
    raise NotFound(f"there is nothing at {request.scope['path']}")
