"""A load generator: so many connections, each sending its next request when its answer is there.

Requests are rendered beforehand and answers are only measured and counted, so that on a machine of few cores the
load takes as little as it can from what it measures. Loopback only; bounded in time and count.
"""

import asyncio
import multiprocessing
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
import uvloop

PATIENCE_S = 60.0
"""Longer than the service waits for its engine before it refuses."""


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


class Answer(NamedTuple):
    """`number` is the request's place among those given."""

    number: int
    seconds: float
    status: int
    body: bytes


Numbered = tuple[int, bytes]


def post(path: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """A rendered HTTP/1.1 request."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def get(path: str) -> bytes:
    """The same without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


class _Connection(asyncio.Protocol):
    """Sends one request at a time. Reads answers that have a Content-Length, which all of ours have."""

    def __init__(
        self, requests: Iterator[Numbered], answered: Callable[[Answer], None], done: asyncio.Future[None]
    ) -> None:
        self._requests = requests
        self._answered = answered
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
        head = self._buffer[: end + 2].lower()
        at = head.find(b"\r\ncontent-length:")
        length = int(head[at + 17 : head.find(b"\r", at + 17)]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        body, self._buffer = self._buffer[end + 4 :], b""
        self._answered(Answer(self._number, time.perf_counter() - self._began, int(head[9:12]), body))
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
        self._number = request[0]
        self._began = time.perf_counter()
        self._transport.write(request[1])


def run(port: int, requests: Sequence[bytes], *, clients: int, seconds: float) -> LoadResult:
    """Let `clients` connections send `requests` over and over for so many seconds.

    Raises ConnectionError where the server ends a connection, and TimeoutError where it falls silent.
    """
    milliseconds: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    def endless() -> Iterator[Numbered]:
        place = 0
        while time.perf_counter() < end:
            yield place, requests[place]
            place = (place + 1) % len(requests)

    def note(answer: Answer) -> None:
        milliseconds.append(answer.seconds * 1000)
        statuses[answer.status] += 1

    took = uvloop.run(_drive(port, endless(), note, lambda: len(milliseconds), clients))
    return LoadResult(took, np.array(milliseconds), statuses)


def ask(port: int, requests: Sequence[bytes], *, clients: int) -> list[Answer]:
    """Send each request once, and give every answer as it came, in the order of the answers. Raises as `run`."""
    answers: list[Answer] = []
    uvloop.run(_drive(port, iter(enumerate(requests)), answers.append, lambda: len(answers), clients))
    return answers


async def _drive(
    port: int,
    requests: Iterator[Numbered],
    answered: Callable[[Answer], None],
    count: Callable[[], int],
    clients: int,
) -> float:
    """The seconds that it took; all connections take from the one iterator. `count` tells the answers so far."""
    loop = asyncio.get_running_loop()
    dones: list[asyncio.Future[None]] = [loop.create_future() for _ in range(clients)]
    transports: list[asyncio.BaseTransport] = []
    began = time.perf_counter()
    try:
        for done in dones:
            transport, _ = await loop.create_connection(
                lambda done=done: _Connection(requests, answered, done),  # type: ignore[misc]
                "127.0.0.1",
                port,
            )
            transports.append(transport)
        await _all(dones, count)
    finally:
        for done in dones:
            done.cancel()
        # A loop of uvloop's with open connections does not close.
        for transport in transports:
            transport.close()
        await asyncio.sleep(0)
    return time.perf_counter() - began


async def _all(dones: Sequence[asyncio.Future[None]], count: Callable[[], int]) -> None:
    """Wait for all of them as long as answers come; raises what any of them does."""
    waiting = set(dones)
    while waiting:
        before = count()
        ended, waiting = await asyncio.wait(waiting, timeout=PATIENCE_S, return_when=asyncio.FIRST_EXCEPTION)
        for one in ended:
            one.result()
        if waiting and count() == before:
            raise TimeoutError(f"nothing was answered for {PATIENCE_S:g} s; {len(waiting)} connections wait")


def _end_with(parent: int) -> None:
    """End this process once its parent has, however that ends: a pool's own processes would wait for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class LoadProcess:
    """The same from a process of its own, so that what is measured does not share its lock with the measuring."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(
            1, mp_context=context, initializer=_end_with, initargs=(os.getpid(),)
        )

    def run(self, port: int, requests: Sequence[bytes], *, clients: int, seconds: float) -> LoadResult:
        return self.begin(port, requests, clients=clients, seconds=seconds).result()

    def begin(
        self, port: int, requests: Sequence[bytes], *, clients: int, seconds: float
    ) -> Future[LoadResult]:
        """The same without waiting for its end."""
        return self._pool.submit(run, port, requests, clients=clients, seconds=seconds)

    def ask(self, port: int, requests: Sequence[bytes], *, clients: int) -> list[Answer]:
        return self._pool.submit(ask, port, requests, clients=clients).result()

    def close(self) -> None:
        self._pool.shutdown()
