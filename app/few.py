"""Work that is done a few at a time: files that take seconds and gigabytes to read. Knows no file and no route.

Threads are few and everybody's: forty uploads decoded at once would leave none for a row to be read in.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from services.errors import Unavailable

_RETRY_AFTER_SECONDS = 5.0


class Few:
    """Belongs to the event loop that it is made in."""

    def __init__(self, at_once: int, waiting: int) -> None:
        """So many go at once, and so many more may wait for their turn; others are told to come again."""
        self._turns = anyio.Semaphore(at_once)
        self._waiting = waiting

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and have it until the block ends. Raises Unavailable where too many wait already."""
        if self._turns.value == 0 and self._turns.statistics().tasks_waiting >= self._waiting:
            raise Unavailable(
                "as many files are being read, and wait to be, as are taken", _RETRY_AFTER_SECONDS
            )
        async with self._turns:
            yield
