"""The engine's socket: calls of several api processes in, replies out. Knows connections; no batch and no tensor.

This thread runs a brief pass by itself when the device is free: a lone call then goes from the socket to the device
and back without waking anybody. A long one is the engine's own thread's, so that pings are answered meanwhile.
"""

import logging
import selectors
import socket
import threading
import time
from collections import defaultdict, deque
from contextlib import closing, suppress
from functools import partial
from typing import NamedTuple

import msgspec

from services.engine.address import address_of
from services.engine.connection import Connection
from services.engine.frames import FrameError
from services.engine.loop import EngineLoop
from services.engine.messages import CancelCall, EngineFault, Reply
from services.engine.socket_file import sole_listener
from services.engine.wire import decode_calls, encode_replies

logger = logging.getLogger(__name__)

_PREDECESSOR_SECONDS = 10.0
_LINGER_SECONDS = 1.0
_GLANCE_SECONDS = 1.0
_DRAIN_GLANCE_SECONDS = 0.02
_NO_ROOM_SECONDS = 0.05


class _Ready(NamedTuple):
    """A reply, and the number that its call had on its connection."""

    connection: Connection
    number: int
    reply: Reply


class EngineServer:
    """Serves a loop on one address until `stop`, once."""

    def __init__(self, loop: EngineLoop, address: str) -> None:
        self._loop = loop
        self._address = address
        self._outbox: deque[_Ready] = deque()
        # With the numbers of their calls that were not answered.
        self._connections: dict[Connection, set[int]] = {}
        self._selector = selectors.DefaultSelector()
        # Written from other threads and from signal handlers; read where this thread waits.
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._thread = 0
        self._stopping = False

    def stop(self) -> None:
        """End `run`: refuse new calls, finish those that wait. From any thread, or a signal handler."""
        self._stopping = True
        self._wake()

    def run(self, drain_seconds: float = 10.0) -> None:
        """Listen, and return once stopped and drained.

        Raises RuntimeError where the address is taken, and where the engine's thread ended by itself.
        """
        self._thread = threading.get_ident()
        with (
            self._waker,
            self._woken,
            self._selector,
            sole_listener(self._address, _PREDECESSOR_SECONDS),
            self._listening() as listener,
        ):
            self._selector.register(listener, selectors.EVENT_READ)
            self._selector.register(self._woken, selectors.EVENT_READ)
            self._loop.start()
            try:
                has_run = False
                while not self._stopping:
                    # After a pass no more than a glance: what came meanwhile may go before what still waits.
                    has_run = self._move(0.0 if has_run else _GLANCE_SECONDS)
                    if not self._loop.alive:
                        raise RuntimeError("the engine's thread ended by itself")
                self._loop.stop()
                give_up = time.monotonic() + drain_seconds
                while self._loop.alive and time.monotonic() < give_up:
                    self._move(_DRAIN_GLANCE_SECONDS)
            finally:
                self._part()

    def _listening(self) -> closing[socket.socket]:
        listener = address_of(self._address).bind()
        listener.setblocking(False)
        logger.info("listening", extra={"address": self._address})
        return closing(listener)

    def _move(self, timeout_seconds: float) -> bool:
        """Wait for something to arrive or be ready, take in what arrived and send what is ready.

        Whether there was a brief pass to run: one at most, so that nobody is unheard for longer.
        """
        for key, _ in self._selector.select(timeout_seconds):
            if key.data is not None:
                self._serve(key.data)
            elif key.fileobj is self._woken:
                with suppress(BlockingIOError):
                    while self._woken.recv(4096):
                        pass
            else:
                self._accept(key.fileobj)  # type: ignore[arg-type]
        # Refusals and pings do not wait for the pass.
        self._send()
        has_run = self._loop.run_brief()
        self._send()
        return has_run

    def _accept(self, listener: socket.socket) -> None:
        try:
            while True:
                connection = Connection(listener.accept()[0])
                self._connections[connection] = set()
                self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        except (BlockingIOError, ConnectionError):
            pass
        except OSError:
            # This process has no room for it, and whoever is connected already is served all the same.
            logger.warning("a connection could not be taken", exc_info=True)
            time.sleep(_NO_ROOM_SECONDS)  # the selector tells of it again at once

    def _serve(self, connection: Connection) -> None:
        """Take in what has arrived, and send what could not be sent before."""
        try:
            connection.flush()
            if not connection.is_behind:
                for message in connection.receive():
                    self._take_in(connection, message)
        except (OSError, FrameError, MemoryError) as error:
            self._lose(connection, error)
        else:
            self._watch(connection)

    def _take_in(self, connection: Connection, message: memoryview) -> None:
        try:
            calls = decode_calls(message)
        except msgspec.DecodeError:
            logger.warning("a message that holds no calls was dropped")
            return
        unanswered = self._connections[connection]
        for number, call in calls:
            if isinstance(call, EngineFault):
                self._outbox.append(_Ready(connection, number, call))
            elif isinstance(call, CancelCall):
                unanswered.discard(number)
                self._loop.cancel((connection, number))
            else:
                unanswered.add(number)
                self._loop.offer(call, partial(self._post, connection, number), (connection, number))

    def _post(self, connection: Connection, number: int, reply: Reply) -> None:
        self._outbox.append(_Ready(connection, number, reply))
        if threading.get_ident() != self._thread:
            self._wake()

    def _wake(self) -> None:
        # A full pipe means that a wake-up is pending already; a closed one, that nobody is there to be woken.
        with suppress(OSError):
            self._waker.send(b"\0")

    def _send(self) -> None:
        ready: defaultdict[Connection, list[tuple[int, Reply]]] = defaultdict(list)
        while self._outbox:
            connection, number, reply = self._outbox.popleft()
            ready[connection].append((number, reply))
        for connection, replies in ready.items():
            unanswered = self._connections.get(connection)
            if unanswered is None:
                continue
            unanswered.difference_update(number for number, _ in replies)
            try:
                connection.send(encode_replies(replies))
            except OSError as error:
                self._lose(connection, error)
            else:
                self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        """Be told what arrives, and when the socket takes more, as long as there is more."""
        events = selectors.EVENT_WRITE if connection.has_unsent else 0
        if not connection.is_behind:
            events |= selectors.EVENT_READ
        if self._selector.get_key(connection.socket).events != events:
            self._selector.modify(connection.socket, events, connection)

    def _lose(self, connection: Connection, error: Exception) -> None:
        if not isinstance(error, OSError):
            logger.warning("a connection that does not speak as one of ours was closed: %s", error)
        unanswered = self._connections.pop(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()
        for number in unanswered:
            self._loop.cancel((connection, number))  # nobody waits for it

    def _part(self) -> None:
        """Send what is ready, as far as its readers take it soon; the kernel keeps it for those who do not yet."""
        self._send()
        give_up = time.monotonic() + _LINGER_SECONDS
        while any(one.has_unsent for one in self._connections) and time.monotonic() < give_up:
            self._move(_DRAIN_GLANCE_SECONDS)
        for connection in list(self._connections):
            connection.socket.close()
