"""gzip and deflate (RFC 9110, section 8.4.1), for the routes that take and give compressed bodies."""

import gzip
import zlib
from collections.abc import Callable

import anyio.to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response

from services.errors import Malformed, TooLarge, UnsupportedMediaType

# "deflate" is the zlib format, header and checksum included, and not the bare stream that zlib calls so.
_WINDOWS = {"gzip": 31, "deflate": 15}
# Tensors of floats hardly shrink further however long one tries.
_LEVEL = 1
_DEFLATE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, _LEVEL, mtime=0),
    "deflate": lambda body: zlib.compress(body, _LEVEL),
}


def coding_of(content_encoding: str | None) -> str | None:
    """The coding that Content-Encoding names; None for a body as it is. Raises UnsupportedMediaType."""
    coding = (content_encoding or "identity").strip().lower()
    if coding == "identity":
        return None
    if coding not in _WINDOWS:
        raise UnsupportedMediaType(f"content encoding {content_encoding} is not read: gzip and deflate are")
    return coding


def inflate(body: bytes, coding: str, max_bytes: int) -> bytes:
    """What was compressed. Never holds more than a byte beyond the limit.

    Raises TooLarge, and Malformed for data that are damaged, cut short, or followed by anything.
    """
    inflater = zlib.decompressobj(_WINDOWS[coding])
    try:
        inflated = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise Malformed(f"the body is not {coding}: {error}") from error
    if len(inflated) > max_bytes:
        raise TooLarge(f"the body inflates to more than {max_bytes} bytes; /v1/limits tells every limit")
    if not inflater.eof:
        raise Malformed(f"the body is not {coding}: it is cut short")
    # A second member behind the first is legal gzip that no client sends, and a million tiny ones take forever.
    if inflater.unused_data:
        raise Malformed(f"{len(inflater.unused_data)} bytes are left over after the compressed body")
    return inflated


def wanted_coding(accept_encoding: str | None) -> str | None:
    """The coding to compress an answer with: the one that Accept-Encoding names, None unless it names just one.

    HTTP libraries list all that they know on every request; whoever means it names one.
    """
    named = [item.strip() for item in (accept_encoding or "").lower().split(",") if item.strip()]
    return named[0] if len(named) == 1 and named[0] in _DEFLATE else None


async def compressed(request: Request, response: Response) -> Response:
    """A successful answer in the coding that was asked for; any other answer as it is."""
    coding = wanted_coding(request.headers.get("accept-encoding"))
    if coding is None or response.status_code != 200:
        return response
    body = await anyio.to_thread.run_sync(_DEFLATE[coding], bytes(response.body))
    headers = MutableHeaders(raw=list(response.raw_headers))
    headers["Content-Encoding"] = coding
    headers["Content-Length"] = str(len(body))
    return Response(body, response.status_code, headers)
