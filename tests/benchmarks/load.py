"""A load generator: so many connections, each sending its next request when its answer is there.

Requests are rendered beforehand and answers are only measured and counted, so that on a machine of few cores the
load takes as little as it can from what it measures. Loopback only; bounded in time and count.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import uvloop


class LoadResult(NamedTuple):
    """`seconds` of the whole run; milliseconds [n] of each answer, in the order they came; answers by status."""

    seconds: float
    milliseconds: np.ndarray
    statuses: Counter[int]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, percent: float) -> float:
        """Milliseconds."""
        return float(np.percentile(self.milliseconds, percent))


def post(path: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """A rendered HTTP/1.1 request."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class _Connection(asyncio.Protocol):
    """Sends one request at a time. Reads answers that have a Content-Length, which all of ours have."""

    def __init__(
        self, requests: Iterator[bytes], result: list[tuple[float, int]], done: asyncio.Future[None]
    ) -> None:
        self._requests = requests
        self._result = result
        self._done = done
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:") + 15
        length = int(head[at : head.find(b"\r", at) if head.find(b"\r", at) > 0 else None])
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer = b""
        self._result.append((time.perf_counter() - self._began, int(head[9:12])))
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            if not self._done.done():
                self._done.set_result(None)
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(request)


def run(port: int, requests: Sequence[bytes], *, clients: int, seconds: float) -> LoadResult:
    """Let `clients` connections send `requests` over and over for so many seconds."""

    async def scenario() -> LoadResult:
        loop = asyncio.get_running_loop()
        result: list[tuple[float, int]] = []
        end = time.perf_counter() + seconds
        place = 0

        def endless() -> Iterator[bytes]:
            nonlocal place
            while time.perf_counter() < end:
                place += 1
                yield requests[place % len(requests)]

        dones = []
        began = time.perf_counter()
        shared = endless()
        for _ in range(clients):
            done = loop.create_future()
            dones.append(done)
            await loop.create_connection(
                lambda done=done: _Connection(shared, result, done), "127.0.0.1", port
            )  # type: ignore[misc]
        await asyncio.gather(*dones)
        took = time.perf_counter() - began
        return LoadResult(
            took, np.array([each for each, _ in result]) * 1000, Counter(code for _, code in result)
        )

    return uvloop.run(scenario())
