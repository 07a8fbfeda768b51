"""The load generator against a server that answers in pieces and counts who asked what."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.benchmarks import load
from tests.benchmarks.load import ask, get, post, run


class PiecemealServer:
    """Answers every request with its own body, some bytes at a time.

    404 at `/missing`; hangs up at `/end`, and says no more at `/hush`.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.asked: list[bytes] = []
        self.port: Future[int] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._serve()), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port.set_result(server.sockets[0].getsockname()[1])
        await self._end.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await self._head(reader):
            fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
            body = await reader.readexactly(int(fields.get(b"Content-Length", b"0")))
            path = head.split(b" ")[1]
            if path == b"/end":
                break
            self.asked.append(body)
            if path == b"/hush":
                continue
            status = b"404 Not Found" if path == b"/missing" else b"200 OK"
            whole = b"HTTP/1.1 %s\r\nContent-Length: %d\r\nX: y\r\n\r\n%s" % (status, len(body), body)
            for start in range(0, len(whole), 17):
                writer.write(whole[start : start + 17])
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    @staticmethod
    async def _head(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""


@pytest.fixture
def server() -> Iterator[PiecemealServer]:
    running = PiecemealServer()
    yield running
    running.close()


def test_every_request_is_asked_once_and_its_answer_is_told_by_its_number(server: PiecemealServer) -> None:
    bodies = [b"%d" % number * (number + 1) for number in range(40)]
    answers = ask(server.port.result(), [post("/echo", body) for body in bodies], clients=5)
    assert sorted(answer.number for answer in answers) == list(range(40))
    assert all(answer.body == bodies[answer.number] and answer.status == 200 for answer in answers)
    assert all(answer.seconds > 0 for answer in answers)
    assert sorted(server.asked) == sorted(bodies)
    assert server.connections == 5


def test_an_answer_without_a_body_is_whole(server: PiecemealServer) -> None:
    (answer,) = ask(server.port.result(), [get("/nothing")], clients=1)
    assert (answer.status, answer.body) == (200, b"")


def test_a_run_counts_answers_by_status_and_goes_round_in_turn(server: PiecemealServer) -> None:
    requests = [post("/echo", b"one"), post("/missing", b"two")]
    result = run(server.port.result(), requests, clients=1, seconds=0.1)
    assert len(result.milliseconds) == result.statuses.total() == len(server.asked)
    assert server.asked[:4] == [b"one", b"two", b"one", b"two"][: len(server.asked)]
    assert set(result.statuses) <= {200, 404}
    assert result.rate == pytest.approx(len(server.asked) / result.seconds)
    assert result.percentile(0) <= result.percentile(50) <= result.percentile(100)


def test_a_server_that_hangs_up_is_not_taken_for_one_that_is_done(server: PiecemealServer) -> None:
    with pytest.raises(ConnectionError):
        ask(server.port.result(), [post("/hush", b"x"), post("/end", b"")], clients=2)


def test_a_server_that_falls_silent_is_not_waited_for(
    server: PiecemealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "PATIENCE_S", 0.2)
    with pytest.raises(TimeoutError, match="1 connections wait"):
        ask(server.port.result(), [post("/echo", b"x"), post("/hush", b"y")], clients=2)
