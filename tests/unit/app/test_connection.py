"""Work that goes on only while its client is there, with a client whose leaving the test decides."""

import asyncio
import threading
from typing import Any

import pytest
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request

from app.requests import connection
from app.requests.connection import while_connected


class Client:
    """The other end of a request. Tells when somebody watches the connection, and was told of its end."""

    def __init__(self) -> None:
        self.watched, self.gone = asyncio.Event(), asyncio.Event()
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def leave(self) -> None:
        # A server may have a last empty piece of the body to tell first.
        self.messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.messages.put_nowait({"type": "http.disconnect"})

    def request(self) -> Request:
        return Request({"type": "http"}, self._receive)

    async def _receive(self) -> dict[str, Any]:
        self.watched.set()
        message = await self.messages.get()
        if message["type"] == "http.disconnect":
            self.gone.set()
        return message


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PATIENCE_SECONDS", 0.0)


async def _answer() -> int:
    await asyncio.sleep(0)
    return 42


def test_quick_work_is_done_without_a_look_at_the_connection() -> None:
    async def scenario() -> None:
        client = Client()
        client.leave()
        assert await while_connected(client.request(), _answer()) == 42
        assert not client.watched.is_set()

    asyncio.run(scenario())


def test_work_that_takes_longer_is_done_while_the_client_is_there(no_patience: None) -> None:
    async def scenario() -> None:
        client, ready = Client(), asyncio.Event()

        async def work() -> int:
            await ready.wait()
            return 42

        answer = asyncio.create_task(while_connected(client.request(), work()))
        await client.watched.wait()
        ready.set()
        assert await answer == 42
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1  # nobody watches any more

    asyncio.run(scenario())


def test_work_is_cancelled_where_its_client_leaves(no_patience: None) -> None:
    async def scenario() -> None:
        client, ends = Client(), []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ends.append("cancelled")
                raise

        answer = asyncio.create_task(while_connected(client.request(), work()))
        client.leave()
        with pytest.raises(ClientDisconnect):
            await answer
        assert ends == ["cancelled"]
        assert answer.cancelling() == 0

    asyncio.run(scenario())


def test_a_thread_ends_what_it_began_though_its_client_left(no_patience: None) -> None:
    async def scenario() -> None:
        client, begun, go_on = Client(), threading.Event(), threading.Event()

        def store() -> int:
            begun.set()
            assert go_on.wait(20)
            return 42

        async def work() -> int:
            return await run_sync(store)

        answer = asyncio.create_task(while_connected(client.request(), work()))
        assert await asyncio.to_thread(begun.wait, 20)
        client.leave()
        await client.gone.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not answer.done()
        go_on.set()
        assert await answer == 42

    asyncio.run(scenario())


def test_what_goes_wrong_with_the_work_is_raised(no_patience: None) -> None:
    async def broken() -> None:
        await asyncio.sleep(0.001)
        raise ValueError("broken")

    async def scenario() -> None:
        with pytest.raises(ValueError, match="broken"):
            await while_connected(Client().request(), broken())

    asyncio.run(scenario())
