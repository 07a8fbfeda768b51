"""Sends Calls and waits between attempts. The asynchronous twin of connection; every choice is in retries."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from .address import Address
from .call import Call
from .retries import Attempts

T = TypeVar("T")

_CHUNK_BYTES = 1 << 20


class AsyncConnection:
    """One pool of connections to one service; safe to share between the tasks of one event loop."""

    def __init__(
        self,
        address: Address,
        *,
        timeout: float | None,
        max_retries: int,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.address = address
        self.max_retries = max_retries
        self.sleep = sleep
        self._http = httpx.AsyncClient(
            base_url=address.url, headers=address.headers(), timeout=timeout, transport=transport
        )

    async def send(self, call: Call[T]) -> T:
        """The call's result, after as many attempts as it takes. Raises APIError or ConnectionFailed."""
        attempts = Attempts(self.address.url, self.max_retries)
        while True:
            try:
                response = await self._attempt(call)
            except httpx.TransportError as error:
                delay = attempts.failed(error)
            else:
                if response.is_success or response.status_code in call.expected:
                    return call.read(response)
                if attempts.was_done(response, call):
                    return call.read(response)
                delay = attempts.answered(response)
            await self.sleep(delay)

    @asynccontextmanager
    async def stream(self, call: Call[None]) -> AsyncIterator[httpx.Response]:
        """One attempt, its answer (of any status) not read yet. Raises httpx.TransportError, on reading too."""
        async with self._http.stream(**self._request(call)) as response:
            yield response

    async def close(self) -> None:
        await self._http.aclose()

    async def _attempt(self, call: Call[Any]) -> httpx.Response:
        if not isinstance(call.content, Path):
            return await self._http.request(**self._request(call), content=call.content)
        size = (await asyncio.to_thread(call.content.stat)).st_size
        request = self._request(call)
        request["headers"]["Content-Length"] = str(size)
        return await self._http.request(**request, content=_chunks(call.content))

    def _request(self, call: Call[Any]) -> dict[str, Any]:
        return {
            "method": call.method,
            "url": call.path,
            "params": call.params,
            "headers": dict(call.headers),
            "timeout": call.timeout(self._http.timeout),
        }


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk
    finally:
        await asyncio.to_thread(file.close)
