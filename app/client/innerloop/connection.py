"""Sends Calls and waits between attempts. The synchronous twin of async_connection; every choice is in retries."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from .address import Address
from .call import Call
from .retries import Attempts

T = TypeVar("T")


class Connection:
    """One pool of connections to one service; safe to share between threads."""

    def __init__(
        self,
        address: Address,
        *,
        timeout: float | None,
        max_retries: int,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address
        self.max_retries = max_retries
        self.sleep = sleep
        self._http = httpx.Client(
            base_url=address.url, headers=address.headers(), timeout=timeout, transport=transport
        )

    def send(self, call: Call[T]) -> T:
        """The call's result, after as many attempts as it takes. Raises APIError or ConnectionFailed."""
        attempts = Attempts(self.address.url, self.max_retries)
        while True:
            try:
                response = self._attempt(call)
            except httpx.TransportError as error:
                delay = attempts.failed(error)
            else:
                if response.is_success or response.status_code in call.expected:
                    return call.read(response)
                if attempts.was_done(response, call):
                    return call.read(response)
                delay = attempts.answered(response)
            self.sleep(delay)

    @contextmanager
    def stream(self, call: Call[None]) -> Iterator[httpx.Response]:
        """One attempt, its answer (of any status) not read yet. Raises httpx.TransportError, on reading too."""
        with self._http.stream(**self._request(call)) as response:
            yield response

    def close(self) -> None:
        self._http.close()

    def _attempt(self, call: Call[Any]) -> httpx.Response:
        if not isinstance(call.content, Path):
            return self._http.request(**self._request(call), content=call.content)
        with call.content.open("rb") as file:  # opened anew each time: an attempt may have read a part of it
            return self._http.request(**self._request(call), content=file)

    def _request(self, call: Call[Any]) -> dict[str, Any]:
        return {
            "method": call.method,
            "url": call.path,
            "params": call.params,
            "headers": call.headers,
            "timeout": call.timeout(self._http.timeout),
        }
