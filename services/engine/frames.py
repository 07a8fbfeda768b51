"""Messages on a stream of bytes: each behind its length. Knows neither socket nor what the bytes mean.

An empty message is a heartbeat. Small messages arrive together, in one read; a large one is read straight into the
buffer that is handed on.
"""

LARGEST = 1 << 32
"""Bytes that a message may have: what announces more was not written by one of us."""
HEARTBEAT = bytes(8)

_HEAD = 8  # the length, an unsigned little-endian number
_ROOM = 1 << 16


class FrameError(ValueError):
    """What came is no stream of messages."""


def head_of(message: bytes | memoryview) -> bytes:
    """What goes before a message."""
    return len(message).to_bytes(_HEAD, "little")


class FrameReader:
    """Makes messages of what one connection brings. Read into `room()`, then tell `took` how much that was."""

    def __init__(self) -> None:
        self._small = memoryview(bytearray(_ROOM))
        self._filled = 0
        self._large: memoryview | None = None
        self._missing = 0

    def room(self) -> memoryview:
        """Where the next bytes belong; at least one."""
        if self._large is not None:
            return self._large[-self._missing :]
        return self._small[self._filled :]

    def took(self, size: int) -> list[memoryview]:
        """The messages that are whole with these bytes, each the caller's own. Raises FrameError."""
        if self._large is not None:
            self._missing -= size
            if self._missing:
                return []
            whole, self._large = self._large, None
            return [whole]
        self._filled += size
        return self._split()

    def _split(self) -> list[memoryview]:
        messages: list[memoryview] = []
        start = 0
        while self._filled - start >= _HEAD:
            begin = start + _HEAD
            length = int.from_bytes(self._small[start:begin], "little")
            if length > LARGEST:
                raise FrameError(f"a message of {length} bytes")
            if begin + length <= self._filled:
                messages.append(memoryview(bytes(self._small[begin : begin + length])))
                start = begin + length
                continue
            if length > _ROOM - _HEAD:
                self._begin_large(begin, length)
                start = self._filled
            break
        rest = self._filled - start
        if start and rest:
            self._small[:rest] = bytes(self._small[start : self._filled])
        self._filled = rest
        return messages

    def _begin_large(self, begin: int, length: int) -> None:
        here = self._filled - begin
        self._large = memoryview(bytearray(length))
        self._large[:here] = self._small[begin : self._filled]
        self._missing = length - here
