"""The moment when this process was told to end: readiness says no, and open streams end by themselves."""

import asyncio


class Drain:
    """Belongs to the event loop that it is made in. Once begun it stays begun."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    @property
    def begun(self) -> bool:
        return self._event.is_set()

    def begin(self) -> None:
        self._event.set()

    def begin_soon(self) -> None:
        """The same from a signal handler or another thread."""
        self._loop.call_soon_threadsafe(self._event.set)

    async def within(self, seconds: float) -> bool:
        """Wait, but no longer than until the drain begins; tells whether it has."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True
