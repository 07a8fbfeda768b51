"""The engine in this process: a thread and futures. For tests and notebooks; service uses the remote client."""

import asyncio
from contextlib import suppress
from typing import TypeVar

from services.engine.faults import expect
from services.engine.loop import EngineLoop
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    Call,
    EngineStatus,
    InspectCall,
    MetricsCall,
    MetricsReply,
    PingCall,
    PredictCall,
    PredictReply,
    Reply,
)

T = TypeVar("T")


class InProcessEngineClient:
    """An `EngineClient` on a loop that somebody else started, and stops."""

    def __init__(self, loop: EngineLoop) -> None:
        self._loop = loop

    async def adapt(self, call: AdaptCall) -> AdaptReply:
        return expect(await self._reply(call), AdaptReply)

    async def predict(self, call: PredictCall) -> PredictReply:
        return expect(await self._reply(call), PredictReply)

    async def adapt_predict(self, call: AdaptPredictCall) -> PredictReply:
        return expect(await self._reply(call), PredictReply)

    async def inspect(self, call: InspectCall) -> EngineStatus:
        return expect(await self._reply(call), EngineStatus)

    async def ping(self) -> EngineStatus:
        return expect(await self._reply(PingCall()), EngineStatus)

    async def metrics(self) -> bytes:
        return expect(await self._reply(MetricsCall()), MetricsReply).text

    async def aclose(self) -> None:
        """Nothing is held here."""

    async def _reply(self, call: Call) -> Reply:
        turn = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = turn.create_future()

        def answer(reply: Reply) -> None:
            with suppress(RuntimeError):  # the event loop was closed meanwhile: nobody waits
                turn.call_soon_threadsafe(_settle, future, reply)

        self._loop.submit(call, answer, future)
        try:
            return await future
        except asyncio.CancelledError:
            self._loop.cancel(future)
            raise


def _settle(future: asyncio.Future[Reply], reply: Reply) -> None:
    if not future.done():
        future.set_result(reply)
