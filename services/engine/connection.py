"""One api process's connection, at the engine's end. Knows its socket and the frames on it; no call.

Nothing here waits: what the peer is too busy to read stays here until the socket takes it.
"""

import socket
from collections import deque

from services.engine.address import at_once
from services.engine.frames import HEARTBEAT, FrameReader, head_of

_PIECES = 16  # that one system call takes


class Connection:
    """Messages in and out. For one thread."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        at_once(connection)
        self.socket = connection
        self._reader = FrameReader()
        self._unsent: deque[memoryview] = deque()

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def receive(self) -> list[memoryview]:
        """The messages that have arrived, heartbeats answered and left out.

        Raises OSError or FrameError where the connection has come to its end.
        """
        messages: list[memoryview] = []
        while True:
            room = self._reader.room()
            try:
                size = self.socket.recv_into(room)
            except BlockingIOError:
                break
            if not size:
                raise ConnectionResetError("the peer has closed")
            messages += self._reader.took(size)
            if size < len(room):
                break
        calls = [message for message in messages if message]
        for _ in range(len(messages) - len(calls)):
            self._unsent.append(memoryview(HEARTBEAT))
        if len(calls) < len(messages):
            self.flush()
        return calls

    def send(self, message: bytes) -> None:
        """Send it, behind what is unsent. Raises OSError."""
        self._unsent += (memoryview(head_of(message)), memoryview(message))
        self.flush()

    def flush(self) -> None:
        """Send as much as the socket takes. Raises OSError."""
        while self._unsent:
            pieces = [piece for piece, _ in zip(self._unsent, range(_PIECES), strict=False)]
            try:
                sent = self.socket.sendmsg(pieces)
            except BlockingIOError:
                return
            while self._unsent and sent >= len(self._unsent[0]):
                sent -= len(self._unsent.popleft())
            if sent:
                self._unsent[0] = self._unsent[0][sent:]
