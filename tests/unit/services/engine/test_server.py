"""The engine's socket and its client, around an executor that does as the test says."""

import asyncio
import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from services.engine import connection as engine_connection
from services.engine.frames import head_of
from services.engine.loop import EngineLoop
from services.engine.messages import PredictCall, PredictReply
from services.engine.remote_client import RemoteEngineClient
from services.engine.server import EngineServer
from services.engine.settings import EngineSettings
from services.errors import QuotaExceeded, Unavailable
from services.telemetry.metrics import EngineMetrics
from tests.unit.services.engine.test_loop import ADAPT, PREDICT, HeldExecutor, X, predict_of


class Served:
    """An engine on a socket of its own; no pass ends before `executor.let_go` is released."""

    def __init__(self, folder: Path, executor: HeldExecutor | None = None) -> None:
        self.settings = EngineSettings(
            engine_address=f"ipc://{folder / 'engine.sock'}", engine_max_queued=6, engine_batch_seconds=10.0
        )
        self.executor = executor or HeldExecutor()
        self.registry = CollectorRegistry()
        loop = EngineLoop(self.executor, self.settings, EngineMetrics(self.registry))
        self.server = EngineServer(loop, self.settings.address)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()

    async def client(self) -> RemoteEngineClient:
        client = RemoteEngineClient(self.settings.address, timeout_seconds=20)
        async with asyncio.timeout(20):
            while True:
                try:
                    await client.ping()
                except Unavailable:
                    await asyncio.sleep(0.01)
                else:
                    return client

    def cancelled(self) -> float | None:
        return self.registry.get_sample_value("innerloop_engine_dropped_total", {"reason": "cancelled"})


async def queued(client: RemoteEngineClient, calls: int) -> None:
    async with asyncio.timeout(20):
        while (await client.ping()).queued != calls:
            pass


class LoadedExecutor(HeldExecutor):
    """Its models are loaded: what was measured as brief is run by the socket's thread."""

    def has(self, artifact: str) -> bool:
        return True


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.executor.let_go.release(100)
    served.server.stop()
    served.thread.join(20)
    assert not served.thread.is_alive()


def test_a_call_that_is_cancelled_here_is_cancelled_there(served: Served) -> None:
    async def scenario() -> None:
        async with aclosing(await served.client()) as client, aclosing(await served.client()) as other:
            running = asyncio.create_task(client.predict(PREDICT))
            assert await asyncio.to_thread(served.executor.begun.acquire, timeout=10)
            waiting = [asyncio.create_task(client.predict(PREDICT)) for _ in range(3)]
            theirs = asyncio.create_task(other.predict(PREDICT))
            await queued(client, 4)
            newest = asyncio.create_task(client.adapt(ADAPT))
            await asyncio.sleep(0)
            for task in (*waiting[:2], newest, running):
                task.cancel()
            gone = await asyncio.gather(*waiting[:2], newest, running, return_exceptions=True)
            assert [type(end) for end in gone] == [asyncio.CancelledError] * 4
            assert (await client.ping()).queued == 2
            assert served.cancelled() == 3.0  # what runs is run to its end
            served.executor.let_go.release(2)
            assert isinstance(await waiting[2], PredictReply)
            assert isinstance(await theirs, PredictReply)
            assert served.executor.passes == [[PREDICT], [PREDICT, PREDICT]]

    asyncio.run(scenario())


def test_what_a_lost_connection_asked_for_is_not_run(served: Served) -> None:
    """A killed api process takes nothing back by itself."""

    async def scenario() -> None:
        async with aclosing(await served.client()) as client:
            lost = await served.client()
            running = asyncio.create_task(client.predict(PREDICT))
            assert await asyncio.to_thread(served.executor.begun.acquire, timeout=10)
            theirs = [asyncio.create_task(lost.predict(PREDICT)) for _ in range(3)]
            await queued(client, 3)
            await lost.aclose()
            await asyncio.gather(*theirs, return_exceptions=True)
            await queued(client, 0)
            assert served.cancelled() == 3.0
            served.executor.let_go.release(1)
            assert isinstance(await running, PredictReply)
            assert served.executor.passes == [[PREDICT]]

    asyncio.run(scenario())


def test_refusals_cross_with_their_delay(served: Served) -> None:
    async def scenario() -> None:
        async with aclosing(await served.client()) as client:
            asked = [asyncio.create_task(client.predict(predict_of("greedy")))]
            assert await asyncio.to_thread(served.executor.begun.acquire, timeout=10)
            asked += [asyncio.create_task(client.predict(predict_of("greedy"))) for _ in range(3)]
            await queued(client, 3)
            with pytest.raises(QuotaExceeded) as over:
                await client.predict(predict_of("greedy"))
            assert over.value.retry_after > 0.0
            asked += [asyncio.create_task(client.predict(PREDICT)) for _ in range(3)]
            await queued(client, 6)
            with pytest.raises(Unavailable) as full:
                await client.predict(PREDICT)
            assert full.value.retry_after > over.value.retry_after
            served.executor.let_go.release(2)
            assert len(await asyncio.gather(*asked)) == 7

    asyncio.run(scenario())


def test_a_stranger_on_the_socket_disturbs_nobody(served: Served) -> None:
    async def scenario() -> None:
        async with aclosing(await served.client()) as client:
            reader, writer = await asyncio.open_unix_connection(
                served.settings.address.removeprefix("ipc://")
            )
            writer.write(b"GET / HTTP/1.1\r\nHost: engine\r\n\r\n")
            assert await reader.read() == b""  # closed
            writer.close()
            await client.ping()

    asyncio.run(scenario())


def test_an_engine_without_room_for_a_connection_serves_those_it_has(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_listener: socket.socket) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async def scenario() -> None:
        async with aclosing(await served.client()) as client:
            with monkeypatch.context() as patched:
                patched.setattr(socket.socket, "accept", full)
                async with aclosing(RemoteEngineClient(served.settings.address, 20)):
                    for _ in range(3):
                        await asyncio.sleep(0.05)
                        await client.ping()
            async with aclosing(await served.client()) as other:
                await other.ping()

    asyncio.run(scenario())


def test_a_peer_that_reads_nothing_is_not_heard_until_it_does(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it asks for would fill the engine's memory."""
    monkeypatch.setattr(engine_connection, "_MUCH_BYTES", 1 << 18)
    asyncio.run(_pinged(served))  # it listens
    message = msgspec.msgpack.encode([(number, "no call") for number in range(1000)])
    asked = memoryview((head_of(message) + message) * 1000)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(served.settings.address.removeprefix("ipc://"))
        peer.setblocking(False)
        refused = 0
        while asked and refused < 50:
            try:
                asked = asked[peer.send(asked) :]
                refused = 0
            except BlockingIOError:
                refused += 1
                time.sleep(0.01)
        assert asked
        (connection,) = served.server._connections
        assert connection.is_behind
        peer.settimeout(10)
        while connection.is_behind:
            peer.recv(1 << 20)
    asyncio.run(_pinged(served))


async def _pinged(served: Served) -> None:
    async with aclosing(await served.client()) as client:
        await client.ping()


def test_between_brief_passes_the_engine_listens(tmp_path: Path) -> None:
    """Of several calls that wait for passes of their own, one is run before somebody else is heard, and no more."""
    served = Served(tmp_path, LoadedExecutor())
    calls = [PredictCall(artifact, "d", X) for artifact in ("a", "b", "c", "d")]

    async def scenario() -> None:
        async with aclosing(await served.client()) as client, aclosing(await served.client()) as other:
            served.executor.let_go.release(12)
            for call in calls * 3:  # measured: brief from now on
                await client.predict(call)
                assert served.executor.begun.acquire(timeout=10)
            asked = [asyncio.create_task(client.predict(call)) for call in calls]
            assert await asyncio.to_thread(served.executor.begun.acquire, timeout=10)
            ping = asyncio.create_task(other.ping())
            await asyncio.sleep(0.05)  # it has arrived
            served.executor.let_go.release(1)
            assert (await ping).queued in (2, 3)  # the next pass may be under way
            served.executor.let_go.release(3)
            assert len(await asyncio.gather(*asked)) == 4

    try:
        asyncio.run(scenario())
    finally:
        served.executor.let_go.release(100)
        served.server.stop()
        served.thread.join(20)
