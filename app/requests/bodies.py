"""Reading request bodies: bounded while they arrive, of the right media type, and validated from their bytes.

FastAPI's own body parameters are not used: they read without a bound, and let pydantic see every tensor element.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import anyio.to_thread
import pydantic
from starlette.requests import ClientDisconnect, Request

from app.content_coding import coding_of, inflate
from app.requests.binary_frame import LENGTH_HEADER, Walk, placed_tensors, read_frame
from app.requests.faults import invalid_of
from innerloop.schemas.base import RequestBody
from services.errors import Invalid, TooLarge, UnsupportedMediaType

BodyT = TypeVar("BodyT", bound=RequestBody)
T = TypeVar("T")

_JSON = "application/json"
_BINARY = "application/octet-stream"
_OFF_LOOP_BYTES = 1 << 18
_MAX_MEMBERS = 4096


class Parsed(NamedTuple, Generic[BodyT]):
    """A validated document, and the binary tensors that came behind it by JSON Pointer."""

    document: BodyT
    attached: Mapping[str, memoryview]


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body. Raises TooLarge as soon as it is known to be longer, UnsupportedMediaType if compressed."""
    refuse_coding(request)
    return await _whole(request, max_bytes)


async def read_coded_body(request: Request, max_bytes: int) -> bytes:
    """The same of a route that takes compressed bodies too: the limit holds before and after inflating.

    Raises TooLarge, Malformed where the data are not what their coding says, UnsupportedMediaType for others.
    """
    coding = coding_of(request.headers.get("content-encoding"))
    body = await _whole(request, max_bytes)
    # However few bytes there are, they may become many.
    return body if coding is None else await anyio.to_thread.run_sync(inflate, body, coding, max_bytes)


async def parse_body(request: Request, body: bytes, kind: type[BodyT]) -> Parsed[BodyT]:
    """The body as `kind`: JSON, or a binary frame. Raises UnsupportedMediaType, Malformed, Invalid."""
    header_length = request.headers.get(LENGTH_HEADER)
    media_type = media_type_of(request)
    # A web page may send a body without a type anywhere, without asking first: it is not taken for JSON.
    # The header, which a page may not add, tells a protocol client that names no type.
    if media_type != _JSON and (header_length is None or media_type not in (None, _BINARY)):
        detail = f"send {_JSON}, or {_BINARY} with Inference-Header-Content-Length"
        raise UnsupportedMediaType(detail)
    return await off_loop(len(body), lambda: parse_frame(body, header_length, kind))


async def off_loop(size: int, work: Callable[[], T]) -> T:
    """Do in a thread what would keep every other request waiting: work on more than a quarter of a megabyte."""
    return await anyio.to_thread.run_sync(work) if size > _OFF_LOOP_BYTES else work()


def parse_frame(
    body: bytes, header_length: str | None, kind: type[BodyT], walk: Walk = placed_tensors
) -> Parsed[BodyT]:
    """The body as `kind`, whatever its media type. Raises Malformed, Invalid."""
    frame = read_frame(body, header_length, walk)
    _refuse_crowds(frame.document)
    try:
        return Parsed(kind.model_validate(frame.document, strict=True), frame.attached)
    except pydantic.ValidationError as error:
        raise invalid_of(error) from error


def _refuse_crowds(document: Any) -> None:
    """Raises Invalid for an object of very many members: were each of them a fault, telling would take minutes."""
    objects = [document]
    while objects:
        members = objects.pop()
        if isinstance(members, dict):
            if len(members) > _MAX_MEMBERS:
                raise Invalid(f"an object of {len(members)} members; at most {_MAX_MEMBERS} are read")
            objects.extend(members.values())


def sha256_of(body: bytes) -> str:
    """The body's sha256 (hex), for its idempotency fingerprint."""
    return hashlib.sha256(body).hexdigest()


def media_type_of(request: Request) -> str | None:
    """The media type without its parameters, in lower case; None where the request names none."""
    content_type = request.headers.get("content-type")
    return content_type.partition(";")[0].strip().lower() if content_type else None


def refuse_coding(request: Request) -> None:
    """Raises UnsupportedMediaType where the body is compressed."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(f"content encoding {encoding} is not read here: send the body as it is")


async def _whole(request: Request, max_bytes: int) -> bytes:
    _refuse_length(request, max_bytes)
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    first: bytes = message.get("body", b"")
    if len(first) > max_bytes:
        raise _too_large(max_bytes)
    if not message.get("more_body", False):
        # As nearly all bodies come: without a walk through two generators.
        return first
    return b"".join([first, *[piece async for piece in _pieces(request, max_bytes, len(first))]])


async def pieces_of(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The body's bytes as they arrive, compressed or not. Raises TooLarge."""
    _refuse_length(request, max_bytes)
    async for piece in _pieces(request, max_bytes):
        yield piece


async def _pieces(request: Request, max_bytes: int, size: int = 0) -> AsyncIterator[bytes]:
    """What is left of a body of which so many bytes were read."""
    async for piece in request.stream():
        size += len(piece)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if piece:
            yield piece


def _refuse_length(request: Request, max_bytes: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"the body is larger than {max_bytes} bytes; /v1/limits tells every limit")
