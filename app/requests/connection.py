"""Work that is only worth doing while the client is there to hear of it. Knows the connection, not the work."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")

# Most work is done before this, and then watching the connection would cost more than it could save.
_PATIENCE_SECONDS = 0.05


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's result. Its body must have been read.

    Where the client leaves, the work is cancelled wherever it waits, but for a thread that it waits for (anyio
    shields those): what a thread has begun to store is stored. Raises ClientDisconnect then.
    """
    turn = asyncio.get_running_loop()
    watch: asyncio.Task[None] | None = None

    def begin() -> None:
        nonlocal watch
        watch = turn.create_task(_cancel_when_gone(request, scope))

    with anyio.CancelScope() as scope:
        timer = turn.call_later(_PATIENCE_SECONDS, begin)
        try:
            return await work
        finally:
            timer.cancel()
            if watch is not None:
                watch.cancel()
    raise ClientDisconnect


async def _cancel_when_gone(request: Request, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
