"""One api process's connection, at the engine's end. Knows its socket and the frames on it; no call.

Nothing here waits: what the peer is too busy to read stays here until the socket takes it. Where that is a lot,
nothing more is to be read of what it asks.
"""

import socket
from collections import deque

from services.engine.address import at_once
from services.engine.frames import HEARTBEAT, FrameReader, head_of

_PIECES = 16  # that one system call takes
_MUCH_BYTES = 16 << 20


class Connection:
    """Messages in and out. For one thread."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        at_once(connection)
        self.socket = connection
        self._reader = FrameReader()
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    @property
    def is_behind(self) -> bool:
        """Whether the peer has so much to read that it is not to be heard before."""
        return self._unsent_bytes > _MUCH_BYTES

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
        # One sign of life answers them all, and anything that is on its way to the peer is one.
        if len(calls) < len(messages) and not self._unsent:
            self._append(HEARTBEAT)
            self.flush()
        return calls

    def send(self, message: bytes) -> None:
        """Send it, behind what is unsent. Raises OSError."""
        self._append(head_of(message))
        self._append(message)
        self.flush()

    def flush(self) -> None:
        """Send as much as the socket takes. Raises OSError."""
        while self._unsent:
            pieces = [piece for piece, _ in zip(self._unsent, range(_PIECES), strict=False)]
            try:
                sent = self.socket.sendmsg(pieces)
            except BlockingIOError:
                return
            self._unsent_bytes -= sent
            while self._unsent and sent >= len(self._unsent[0]):
                sent -= len(self._unsent.popleft())
            if sent:
                self._unsent[0] = self._unsent[0][sent:]

    def _append(self, piece: bytes) -> None:
        self._unsent.append(memoryview(piece))
        self._unsent_bytes += len(piece)
