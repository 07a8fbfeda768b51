"""The client's connection, to somebody who listens and does as the test says."""

import asyncio
import time
from contextlib import aclosing, suppress
from pathlib import Path

import numpy as np
import pytest

from services.engine import remote_client
from services.engine.address import address_of
from services.engine.frames import HEARTBEAT
from services.engine.messages import Array, PredictCall
from services.engine.remote_client import RemoteEngineClient
from services.errors import Unavailable
from tests.unit.services.engine.test_loop import PREDICT


def test_a_frozen_engine_is_noticed_by_its_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers one heartbeat and never another; later connections are taken, and nothing is answered at all."""
    monkeypatch.setattr(remote_client, "_BEAT_SECONDS", 0.01)
    address = f"ipc://{tmp_path / 'engine.sock'}"

    async def scenario() -> None:
        with address_of(address).bind() as listener:
            async with aclosing(RemoteEngineClient(address, timeout_seconds=60)) as client:
                engine, _ = await asyncio.to_thread(listener.accept)
                with engine:
                    engine.sendall(HEARTBEAT)
                    async with asyncio.timeout(20):
                        refusal = "not there"
                        while "not there" in refusal:
                            refusal = await _refusal(client)
                        assert "went away" in refusal
                        for _ in range(20):
                            assert "not there" in await _refusal(client)  # at once

    asyncio.run(scenario())


async def _refusal(client: RemoteEngineClient) -> str:
    await asyncio.sleep(0.01)
    with pytest.raises(Unavailable) as refused:
        await client.predict(PREDICT)
    return refused.value.detail


def test_a_peer_that_takes_connections_and_ends_them_is_not_stormed(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path / 'engine.sock'}"
    taken: list[int] = []

    async def scenario() -> None:
        with address_of(address).bind() as listener:
            listener.settimeout(1.0)

            def take() -> None:
                until = time.monotonic() + 0.5
                while time.monotonic() < until:
                    with suppress(TimeoutError):
                        listener.accept()[0].close()
                        taken.append(1)

            async with aclosing(RemoteEngineClient(address, timeout_seconds=60)):
                await asyncio.to_thread(take)

    asyncio.run(scenario())
    assert 1 <= len(taken) < 20


def test_a_client_that_ends_leaves_no_connection_open(tmp_path: Path) -> None:
    """Whatever the engine has not read of what was asked."""
    address = f"ipc://{tmp_path / 'engine.sock'}"
    large = PredictCall("a", "d", Array.of(np.zeros((1, 4 << 20), np.float32)))

    async def scenario() -> None:
        with address_of(address).bind() as listener:
            client = RemoteEngineClient(address, timeout_seconds=60)
            engine, _ = await asyncio.to_thread(listener.accept)
            with engine:
                engine.sendall(HEARTBEAT)
                await asyncio.sleep(0.05)
                asked = asyncio.create_task(client.predict(large))
                await asyncio.sleep(0.05)
                await client.aclose()
                with pytest.raises(Unavailable):
                    await asked
                await asyncio.sleep(0.05)
                with pytest.raises(BrokenPipeError):
                    engine.send(HEARTBEAT)

    asyncio.run(scenario())
