"""The engine in its own process, over a stream socket. Knows the socket and the event loop; no batch and no tensor.

Calls made in one turn of the event loop leave together, or by eights where there are more.

A call fails with Unavailable, and is never sent again here: whoever asked decides, and knows how long it may take.
It fails at once when no engine is connected, when the connection is lost while it waits (a killed engine is
noticed by its closed socket, a frozen one or a lost host by heartbeats that stay away), and after the timeout
otherwise. What an engine answered before the loss is read all the same. A call that is cancelled here is cancelled
there.
"""

import asyncio
import itertools
from contextlib import suppress
from typing import NamedTuple

from services.engine.address import Address, address_of
from services.engine.faults import expect
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    Call,
    CancelCall,
    EngineStatus,
    InspectCall,
    MetricsCall,
    MetricsReply,
    PingCall,
    PredictCall,
    PredictReply,
    Reply,
)
from services.engine.stream import Stream, connected
from services.engine.wire import decode_replies, encode_calls
from services.errors import Unavailable

_BEAT_SECONDS = 0.25
_CONNECT_SECONDS = 3.0
"""What a host that is not there, or an engine that takes connections and answers nothing, is waited for."""
_RECONNECT_SECONDS = 0.05
_RECONNECT_MOST_SECONDS = 0.5
_PING_SECONDS = 1.0
_ENOUGH = 8
"""Calls that leave at once. One turn of a busy event loop reads dozens of requests: were all to leave at its end,
engine and api would take turns, and never work at the same time."""

_AWAY = "the engine is not there; it is being started or restarted"
_CLOSED = "the connection to the engine was closed"
_LOST = "the engine went away while it had this call; it is being restarted"


class _Pending(NamedTuple):
    """A call that was made; `deadline` in the event loop's seconds, after which nobody waits."""

    future: asyncio.Future[Reply]
    deadline: float
    patience: float


class RemoteEngineClient:
    """An `EngineClient` for the event loop it is made in. It connects by itself, and again after every loss."""

    def __init__(self, address: str, timeout_seconds: float) -> None:
        self._turn = asyncio.get_running_loop()
        self._timeout_seconds = timeout_seconds
        self._numbers = itertools.count()
        self._pending: dict[int, _Pending] = {}
        self._outbox: list[tuple[int, Call | CancelCall]] = []
        self._stream: Stream | None = None
        self._closed = False
        self._connecting = self._turn.create_task(self._stay_connected(address_of(address)))
        self._beating = self._turn.call_later(_BEAT_SECONDS, self._beat)

    async def adapt(self, call: AdaptCall) -> AdaptReply:
        return expect(await self._reply(call), AdaptReply)

    async def predict(self, call: PredictCall) -> PredictReply:
        return expect(await self._reply(call), PredictReply)

    async def adapt_predict(self, call: AdaptPredictCall) -> PredictReply:
        return expect(await self._reply(call), PredictReply)

    async def inspect(self, call: InspectCall) -> EngineStatus:
        return expect(await self._reply(call), EngineStatus)

    async def ping(self) -> EngineStatus:
        return expect(await self._reply(PingCall(), _PING_SECONDS), EngineStatus)

    async def metrics(self) -> bytes:
        return expect(await self._reply(MetricsCall(), _PING_SECONDS), MetricsReply).text

    async def aclose(self) -> None:
        """Fail what waits and leave nothing open. Calls made afterwards fail too."""
        if self._closed:
            return
        self._closed = True
        self._beating.cancel()
        self._connecting.cancel()
        with suppress(asyncio.CancelledError):
            await self._connecting
        self._outbox.clear()
        self._fail_all(_CLOSED)

    async def _reply(self, call: Call, timeout_seconds: float | None = None) -> Reply:
        if self._closed:
            raise Unavailable(_CLOSED)
        if self._stream is None:
            raise Unavailable(_AWAY)
        number = next(self._numbers)
        future: asyncio.Future[Reply] = self._turn.create_future()
        patience = timeout_seconds or self._timeout_seconds
        self._pending[number] = _Pending(future, self._turn.time() + patience, patience)
        self._post(number, call)
        try:
            return await future
        except asyncio.CancelledError:
            self._post(number, CancelCall())
            raise
        finally:
            self._pending.pop(number, None)

    def _post(self, number: int, call: Call | CancelCall) -> None:
        """Leave with the other calls of this turn of the event loop, or with as many as are worth a pass."""
        if not self._outbox:
            self._turn.call_soon(self._send)
        self._outbox.append((number, call))
        if len(self._outbox) >= _ENOUGH:
            self._send()

    def _send(self) -> None:
        outbox, self._outbox = self._outbox, []
        calls = [
            (number, call)
            for number, call in outbox
            if number in self._pending or isinstance(call, CancelCall)
        ]
        if self._stream is not None and calls:
            self._stream.send(encode_calls(calls))

    def _take(self, message: memoryview) -> None:
        for number, reply in decode_replies(message):
            pending = self._pending.get(number)
            if pending is not None and not pending.future.done():
                pending.future.set_result(reply)

    async def _stay_connected(self, address: Address) -> None:
        pause = _RECONNECT_SECONDS
        while True:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    stream = await connected(address, self._take)
            except OSError:  # no time left is one
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RECONNECT_MOST_SECONDS)
                continue
            pause = _RECONNECT_SECONDS
            self._stream = stream
            try:
                await stream.lost
            finally:
                self._stream = None
                stream.close()
                self._fail_all(_LOST)

    def _beat(self) -> None:
        """Ask for a sign of life, give up an engine that gives none, and calls that were made too long ago."""
        self._beating = self._turn.call_later(_BEAT_SECONDS, self._beat)
        if self._stream is not None:
            self._stream.beat()
        now = self._turn.time()
        for future, deadline, patience in self._pending.values():
            if deadline <= now:
                _fail(future, f"the engine did not answer in {patience:g} s")

    def _fail_all(self, detail: str) -> None:
        for pending in self._pending.values():
            _fail(pending.future, detail)


def _fail(future: asyncio.Future[Reply], detail: str) -> None:
    if not future.done():
        future.set_exception(Unavailable(detail))
