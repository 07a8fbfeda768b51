"""The engine's socket: calls of several api processes in, replies out. Knows ZeroMQ; no batch and no tensor.

Two threads: this one only moves messages, so that it answers pings while the engine's own thread computes.
"""

import logging
import os
import socket
import time
from collections import defaultdict, deque
from contextlib import suppress
from functools import partial

import msgspec
import zmq

from services.engine.loop import EngineLoop
from services.engine.messages import CancelCall, EngineFault, Reply
from services.engine.socket_file import sole_listener
from services.engine.wire import decode_calls, encode_replies

logger = logging.getLogger(__name__)

# A peer that is silent for this long is gone: ZeroMQ's own threads beat, whatever Python is busy with.
HEARTBEAT_MS = 500
HEARTBEAT_TIMEOUT_MS = 3_000

_PREDECESSOR_SECONDS = 10.0
_LINGER_MS = 1_000
_GLANCE_MS = 1_000
_DRAIN_GLANCE_MS = 20


class EngineServer:
    """Serves a loop on one address until `stop`, once."""

    def __init__(self, loop: EngineLoop, address: str) -> None:
        self._loop = loop
        self._address = address
        self._outbox: deque[tuple[bytes, int, Reply]] = deque()
        # Written from other threads and from signal handlers; read where this thread waits.
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._poller = zmq.Poller()
        self._stopping = False

    def stop(self) -> None:
        """End `run`: refuse new calls, finish those that wait. From any thread, or a signal handler."""
        self._stopping = True
        self._wake()

    def run(self, drain_seconds: float = 10.0) -> None:
        """Listen, and return once stopped and drained.

        Raises RuntimeError where the address is taken, and where the engine's thread ended by itself.
        """
        with (
            self._waker,
            self._woken,
            sole_listener(self._address, _PREDECESSOR_SECONDS),
            zmq.Context() as context,
        ):
            router = context.socket(zmq.ROUTER)
            router.linger = _LINGER_MS
            # What waits is bounded by the loop, in calls; here nothing may be dropped silently.
            router.sndhwm = router.rcvhwm = 0
            router.heartbeat_ivl = HEARTBEAT_MS
            router.heartbeat_timeout = HEARTBEAT_TIMEOUT_MS
            with router:
                self._bind(router)
                self._poller.register(router, zmq.POLLIN)
                self._poller.register(self._woken, zmq.POLLIN)
                self._loop.start()
                while not self._stopping:
                    self._move(router, _GLANCE_MS)
                    if not self._loop.alive:
                        self._send(router)
                        raise RuntimeError("the engine's thread ended by itself")
                self._loop.stop()
                give_up = time.monotonic() + drain_seconds
                while self._loop.alive and time.monotonic() < give_up:
                    self._move(router, _DRAIN_GLANCE_MS)
                self._send(router)

    def _bind(self, router: zmq.Socket[bytes]) -> None:
        mask = os.umask(0o077)
        try:
            router.bind(self._address)
        finally:
            os.umask(mask)
        logger.info("listening", extra={"address": self._address})

    def _move(self, router: zmq.Socket[bytes], timeout_ms: int) -> None:
        """Wait for something to arrive or be ready, take in what arrived and send what is ready."""
        self._poller.poll(timeout_ms)
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        with suppress(zmq.Again):
            while True:
                peer, message = router.recv_multipart(zmq.NOBLOCK, copy=False)
                self._take_in(peer.bytes, message.buffer)
        self._send(router)

    def _take_in(self, peer: bytes, message: memoryview) -> None:
        try:
            calls = decode_calls(message)
        except msgspec.DecodeError:
            logger.warning("a message that holds no calls was dropped")
            return
        for number, call in calls:
            if isinstance(call, EngineFault):
                self._outbox.append((peer, number, call))
            elif isinstance(call, CancelCall):
                self._loop.cancel((peer, number))
            else:
                self._loop.submit(call, partial(self._post, peer, number), (peer, number))

    def _post(self, peer: bytes, number: int, reply: Reply) -> None:
        self._outbox.append((peer, number, reply))
        self._wake()

    def _wake(self) -> None:
        # A full pipe means that a wake-up is pending already; a closed one, that nobody is there to be woken.
        with suppress(OSError):
            self._waker.send(b"\0")

    def _send(self, router: zmq.Socket[bytes]) -> None:
        ready: defaultdict[bytes, list[tuple[int, Reply]]] = defaultdict(list)
        while self._outbox:
            peer, number, reply = self._outbox.popleft()
            ready[peer].append((number, reply))
        for peer, replies in ready.items():
            router.send_multipart([peer, encode_replies(replies)], copy=False)
