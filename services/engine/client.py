"""The seam between those who want a device pass and the engine that does it.

Two implementations: `InProcessEngineClient` (engine in this process, a thread; for tests and notebooks) and
`RemoteEngineClient` (its own process, over a socket; in service).
"""

from typing import Protocol

from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    EngineStatus,
    InspectCall,
    PredictCall,
    PredictReply,
)


class EngineClient(Protocol):
    """All methods raise Unavailable (engine away or full), QuotaExceeded (the principal has its share waiting),
    both with `retry_after`, Invalid, or NotFound. A coroutine that is cancelled takes its call back, if it still
    waits."""

    async def adapt(self, call: AdaptCall) -> AdaptReply: ...

    async def predict(self, call: PredictCall) -> PredictReply: ...

    async def adapt_predict(self, call: AdaptPredictCall) -> PredictReply: ...

    async def inspect(self, call: InspectCall) -> EngineStatus: ...

    async def ping(self) -> EngineStatus:
        """Answers within a second or raises Unavailable."""
        ...

    async def metrics(self) -> bytes:
        """The engine process's metrics, as Prometheus reads them; within a second, or raises Unavailable."""
        ...

    async def aclose(self) -> None: ...
