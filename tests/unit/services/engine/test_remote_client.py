"""The engine as a process of its own: answers, kill -9, restarts, and a clean end."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import numpy as np
import pytest

from services.engine.messages import AdaptCall, AdaptPredictCall, Array, InspectCall, PredictCall, Support
from services.engine.remote_client import RemoteEngineClient
from services.engine.settings import EngineSettings
from services.engine.socket_file import sole_listener
from services.errors import Invalid, NotFound, Unavailable
from services.storage import params as stored_params
from services.storage.artifacts import FolderArtifactStore
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings
from tests import small_models

ENGINE = """
import sys
from pathlib import Path
from services.engine.settings import EngineSettings
from services.engine_bootstrap import run_engine
from services.storage.settings import StorageSettings
folder = Path(sys.argv[1])
run_engine(EngineSettings(data_dir=folder, engine_threads=1, engine_device="cpu"), StorageSettings(data_dir=folder))
"""
ROOT = Path(__file__).parents[4]


class EngineProcess:
    """A real engine on a folder, started and ended at will."""

    def __init__(self, folder: Path) -> None:
        self.settings = EngineSettings(data_dir=folder)
        self.storage = StorageSettings(data_dir=folder)
        self.store = FolderArtifactStore(self.storage.artifacts_path)
        migrate(self.storage)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", ENGINE, str(self.storage.data_dir)]
        self.process = subprocess.Popen(command, cwd=ROOT)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def keep(self, digest: str, params: memoryview) -> None:
        database = Database(self.storage.tables_url)
        with database.write() as session:
            stored_params.put(session, {digest: bytes(params)})
        database.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineProcess]:
    engine = EngineProcess(tmp_path)
    yield engine
    if engine.process.poll() is None:
        engine.process.kill()
        engine.process.wait(30)


def _client(engine: EngineProcess) -> RemoteEngineClient:
    return RemoteEngineClient(engine.settings.address, timeout_seconds=60)


async def _answering(client: RemoteEngineClient) -> int:
    """Wait until an engine answers, and give its process id."""
    async with asyncio.timeout(60):
        while True:
            try:
                return (await client.ping()).pid
            except Unavailable:
                await asyncio.sleep(0.05)


X = Array.of(np.array([[1], [2], [3], [4]], np.float32))
Y = Array.of(np.array([[2], [4], [6], [8]], np.float32))


def test_an_engine_that_is_killed_and_restarted(engine: EngineProcess) -> None:
    model = engine.store.put(small_models.regression_ridge())
    adapt = AdaptCall(model, Support(X, Y))

    async def scenario() -> None:
        client = _client(engine)
        with pytest.raises(Unavailable):
            await client.predict(PredictCall(model, "0" * 64, X))  # nothing listens yet
        assert await _answering(client) == engine.process.pid
        adapted = await client.adapt(adapt)
        engine.keep(adapted.digest, adapted.params)
        query = PredictCall(model, adapted.digest, X)
        before = await client.predict(query)

        # Frozen first, so that the calls are certainly under way when it dies.
        engine.process.send_signal(signal.SIGSTOP)
        under_way = [asyncio.create_task(client.adapt(adapt)) for _ in range(5)]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in under_way)
        engine.end(signal.SIGKILL)
        async with asyncio.timeout(5):
            failures = await asyncio.gather(*under_way, return_exceptions=True)
        assert [type(failure) for failure in failures] == [Unavailable] * 5
        with pytest.raises(Unavailable):
            await client.adapt(adapt)

        engine.start()
        assert await _answering(client) == engine.process.pid
        after = await client.predict(query)
        assert before.mean is not None
        assert after.mean is not None
        np.testing.assert_allclose(before.mean.numpy(), after.mean.numpy(), atol=1e-6)
        await client.aclose()
        with pytest.raises(Unavailable):
            await client.ping()

    asyncio.run(scenario())
    assert engine.end(signal.SIGTERM) == 0


def test_what_the_engine_refuses_arrives_as_what_it_is(engine: EngineProcess) -> None:
    model = engine.store.put(small_models.regression_maml())

    async def scenario() -> None:
        async with aclosing(_client(engine)) as client:
            await _answering(client)
            with pytest.raises(NotFound):
                await client.inspect(InspectCall("0" * 64))
            with pytest.raises(NotFound):
                await client.predict(PredictCall(model, "0" * 64, X))
            with pytest.raises(Invalid, match="inner_lr 10"):
                await client.adapt(AdaptCall(model, Support(X, Y), {"inner_lr": 10.0, "inner_steps": 200}))
            assert (await client.inspect(InspectCall(model))).resident_models == 1
            assert b'innerloop_engine_batch_size_count{kind="inspect"} 2.0' in await client.metrics()

    asyncio.run(scenario())


def test_many_callers_and_a_clean_end_under_load(engine: EngineProcess) -> None:
    model = engine.store.put(small_models.regression_maml())
    call = AdaptPredictCall(model, Support(X, Y), X, {"inner_steps": 50})

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(aclosing(_client(engine))) for _ in range(3)]
            for client in clients:
                await _answering(client)
            answers = await asyncio.gather(
                *(client.adapt_predict(call) for client in clients for _ in range(40))
            )
            means = [answer.mean.numpy() for answer in answers if answer.mean is not None]
            assert len(means) == 120
            for mean in means:
                np.testing.assert_allclose(mean, means[0], atol=1e-5)

            under_way = [
                asyncio.create_task(client.adapt_predict(call)) for client in clients for _ in range(20)
            ]
            await asyncio.sleep(0)
            await clients[0].ping()  # the calls before it on this connection have arrived
            engine.process.send_signal(signal.SIGTERM)
            ends = await asyncio.gather(*under_way, return_exceptions=True)
            assert [end for end in ends[:20] if isinstance(end, BaseException)] == []
            assert all(not isinstance(end, BaseException) or isinstance(end, Unavailable) for end in ends)

    asyncio.run(scenario())
    assert engine.process.wait(30) == 0


def test_answers_that_outlive_their_engine_are_read(engine: EngineProcess) -> None:
    """An api too busy to read gets what an engine answered before its end, once it comes to it."""
    model = engine.store.put(small_models.regression_maml())

    async def scenario() -> None:
        async with aclosing(_client(engine)) as client:
            await _answering(client)
            calls = [asyncio.create_task(client.adapt(AdaptCall(model, Support(X, Y)))) for _ in range(20)]
            await asyncio.sleep(0)  # else the ping goes first
            await client.ping()  # the calls before it have arrived
            assert engine.end(signal.SIGTERM) == 0  # and this event loop stood still meanwhile
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert [end for end in ends if isinstance(end, BaseException)] == []
            with pytest.raises(Unavailable):
                await client.ping()

    asyncio.run(scenario())


def test_calls_given_up_leave_nothing_behind(engine: EngineProcess) -> None:
    model = engine.store.put(small_models.regression_maml())
    call = AdaptCall(model, Support(X, Y))

    async def scenario() -> None:
        client = _client(engine)
        await _answering(client)
        tasks = [asyncio.create_task(client.adapt(call)) for _ in range(4)]
        await asyncio.sleep(0)
        for task in tasks[:2]:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(end, asyncio.CancelledError) for end in ends] == [True, True, False, False]
        assert (await client.ping()).queued == 0
        await client.aclose()

    asyncio.run(scenario())


def test_one_engine_an_address(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path / 'folder' / 'engine.sock'}"
    with sole_listener(address, 0.0):
        with pytest.raises(RuntimeError, match="another engine"), sole_listener(address, 0.0):
            pass
        assert (tmp_path / "folder").stat().st_mode & 0o077 == 0
    with sole_listener(address, 0.0):
        assert [path.name for path in (tmp_path / "folder").iterdir()] == ["engine.lock"]
