"""One connection to an engine, at the api's end. Knows the event loop's transport and the frames on it; no call."""

import asyncio
from collections.abc import Callable

from services.engine.address import Address, at_once
from services.engine.frames import HEARTBEAT, FrameError, FrameReader, head_of

_BEATS_UNANSWERED = 12
"""Turns of this event loop that an engine may be silent for: one that stood still itself has missed none."""

Take = Callable[[memoryview], None]
"""Takes a message that has arrived."""


class Stream(asyncio.BufferedProtocol):
    """One connection: whole messages in and out. `met` is done, with whether, once it is known that somebody is
    there, and `lost` once nothing more will come."""

    def __init__(self, take: Take) -> None:
        turn = asyncio.get_running_loop()
        self.met: asyncio.Future[bool] = turn.create_future()
        self.lost: asyncio.Future[None] = turn.create_future()
        self._take = take
        self._reader = FrameReader()
        self._unanswered = 0

    def send(self, message: bytes) -> None:
        # On one that is being closed nothing can leave; `lost` is about to tell.
        if not self._transport.is_closing():
            self._transport.writelines((head_of(message), message))

    def beat(self) -> None:
        self._unanswered += 1
        if self._unanswered > _BEATS_UNANSWERED:
            self._transport.abort()
        else:
            self._transport.write(HEARTBEAT)

    def close(self) -> None:
        # Not by its own `close`, which waits until a peer has read the rest, be it for ever.
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        # Else uvloop keeps what is written until the end of its turn.
        self._transport.set_write_buffer_limits(high=0)
        connection = transport.get_extra_info("socket")
        if connection is not None:
            at_once(connection)

    def get_buffer(self, _size_hint: int) -> memoryview:
        return self._reader.room()

    def buffer_updated(self, size: int) -> None:
        self._unanswered = 0
        if not self.met.done():
            self.met.set_result(True)
        try:
            messages = self._reader.took(size)
        except FrameError:
            self._transport.abort()
            return
        for message in messages:
            if message:
                self._take(message)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.met.done():
            self.met.set_result(False)
        if not self.lost.done():
            self.lost.set_result(None)


async def connected(address: Address, take: Take) -> Stream:
    """A connection to an engine that has given a sign of life. Raises OSError.

    The kernel takes connections for a frozen engine too: calls would wait there until its silence is noticed.
    """
    turn = asyncio.get_running_loop()
    if address.path is None:
        _, stream = await turn.create_connection(lambda: Stream(take), address.host, address.port)
    else:
        _, stream = await turn.create_unix_connection(lambda: Stream(take), address.path)
    try:
        stream.beat()
        if not await stream.met:
            raise ConnectionResetError("closed before anything came")
    except BaseException:
        stream.close()
        raise
    return stream
