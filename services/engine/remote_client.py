"""The engine in its own process, over ZeroMQ. Knows the socket and the event loop; no batch and no tensor.

The socket is drained from its file descriptor, and calls made in one turn of the event loop leave as one message:
tens of microseconds a call, where pyzmq's asyncio wrapper takes hundreds.

A call fails with Unavailable, and is never sent again here: whoever asked decides, and knows how long it may take.
It fails at once when no engine is connected, when the connection is lost while it waits (a killed engine is
noticed by its closed socket, a frozen one or a lost host by ZeroMQ's heartbeats), and after the timeout otherwise.
What an engine answered before the loss is read all the same. A call that is cancelled here is cancelled there.
"""

import asyncio
import itertools
from contextlib import suppress

import zmq
from zmq.utils.monitor import parse_monitor_message

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
from services.engine.wire import decode_replies, encode_calls
from services.errors import Unavailable

_HEARTBEAT_MS = 500
_HEARTBEAT_TIMEOUT_MS = 3_000
_RECONNECT_MS = 50
_RECONNECT_MOST_MS = 500
_PING_SECONDS = 1.0

_AWAY = "the engine is not there; it is being started or restarted"
_CLOSED = "the connection to the engine was closed"
_LOST = "the engine went away while it had this call; it is being restarted"


class RemoteEngineClient:
    """An `EngineClient` for the event loop it is made in. It connects by itself, and again after every loss."""

    def __init__(self, address: str, timeout_seconds: float) -> None:
        self._turn = asyncio.get_running_loop()
        self._timeout_seconds = timeout_seconds
        self._numbers = itertools.count()
        self._pending: dict[int, asyncio.Future[Reply]] = {}
        self._outbox: list[tuple[int, Call | CancelCall]] = []
        self._context = zmq.Context()
        self._dealer = self._context.socket(zmq.DEALER)
        self._dealer.linger = 0
        self._dealer.sndhwm = self._dealer.rcvhwm = 0
        self._dealer.heartbeat_ivl = _HEARTBEAT_MS
        self._dealer.heartbeat_timeout = _HEARTBEAT_TIMEOUT_MS
        self._dealer.reconnect_ivl = _RECONNECT_MS
        self._dealer.reconnect_ivl_max = _RECONNECT_MOST_MS
        # Not `immediate`, which would refuse to queue while no engine is there: it also throws away what a lost
        # engine had answered and nobody has read yet.
        self._monitor = self._dealer.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        self._connected = False
        self._dealer.connect(address)
        self._turn.add_reader(self._dealer.fileno(), self._receive)
        self._turn.add_reader(self._monitor.fileno(), self._watch)

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
        if self._dealer.closed:
            return
        self._turn.remove_reader(self._dealer.fileno())
        self._turn.remove_reader(self._monitor.fileno())
        self._outbox.clear()
        self._fail_all(_CLOSED)
        self._dealer.disable_monitor()
        self._monitor.close(linger=0)
        self._dealer.close()
        self._context.term()

    async def _reply(self, call: Call, timeout_seconds: float | None = None) -> Reply:
        if self._dealer.closed:
            raise Unavailable(_CLOSED)
        number = next(self._numbers)
        future: asyncio.Future[Reply] = self._turn.create_future()
        self._pending[number] = future
        self._post(number, call)
        patience = timeout_seconds or self._timeout_seconds
        timer = self._turn.call_later(patience, _fail, future, f"the engine did not answer in {patience:g} s")
        try:
            return await future
        except asyncio.CancelledError:
            self._post(number, CancelCall())
            raise
        finally:
            timer.cancel()
            self._pending.pop(number, None)

    def _post(self, number: int, call: Call | CancelCall) -> None:
        """Leave with the other calls of this turn of the event loop."""
        if not self._outbox:
            self._turn.call_soon(self._send)
        self._outbox.append((number, call))

    def _send(self) -> None:
        if self._dealer.closed:
            return
        # What was lost before these calls must not take them along.
        self._watch()
        calls = [
            (number, call)
            for number, call in self._outbox
            if number in self._pending or isinstance(call, CancelCall)
        ]
        self._outbox.clear()
        if not calls:
            return
        if not self._connected:
            for number, _ in calls:
                if number in self._pending:
                    _fail(self._pending[number], _AWAY)
            return
        # Lost before this is noticed, it reaches the next engine, whose answer then finds nobody: harmless, for
        # calls change nothing.
        self._dealer.send(encode_calls(calls), zmq.NOBLOCK, copy=False)
        # Sending may swallow the signal that something arrived.
        self._receive()

    def _receive(self) -> None:
        with suppress(zmq.Again):
            while True:
                message = self._dealer.recv(zmq.NOBLOCK, copy=False)
                for number, reply in decode_replies(message.buffer):
                    future = self._pending.get(number)
                    if future is not None and not future.done():
                        future.set_result(reply)

    def _watch(self) -> None:
        """Know whether an engine is connected, and fail what waits for a connection that was lost."""
        with suppress(zmq.Again):
            while True:
                event = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))["event"]
                self._connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
                if not self._connected:
                    self._receive()  # what was answered before the loss counts
                    self._fail_all(_LOST)

    def _fail_all(self, detail: str) -> None:
        unsent = {number for number, _ in self._outbox}
        for number, future in self._pending.items():
            if number not in unsent:
                _fail(future, detail)


def _fail(future: asyncio.Future[Reply], detail: str) -> None:
    if not future.done():
        future.set_exception(Unavailable(detail))
