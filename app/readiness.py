"""Whether this service can do its work now, asked of each of its parts."""

import asyncio
import logging
from collections.abc import Awaitable

import anyio.to_thread

from app.drain import Drain
from innerloop.schemas.operations import CheckResponse, ReadinessResponse
from services.api_bootstrap import ApiServices
from services.errors import Unavailable

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 2.0
# No call waits longer than this for its reply: an engine that is at one pass for as long answers nobody.
_STALLED_SECONDS = 30.0


async def readiness(services: ApiServices, drain: Drain) -> ReadinessResponse:
    """Ask the engine, the database and the workers at the same time, each for two seconds at most."""
    engine, database, worker = await asyncio.gather(
        engine_readiness(services),
        _check(anyio.to_thread.run_sync(services.database.ping), "the database"),
        _check(_worker(services), "the worker"),
    )
    checks = {"engine": engine, "database": database, "worker": worker}
    if drain.begun:
        checks["api"] = CheckResponse(ok=False, detail="this process is ending")
    ready = all(check.ok for check in checks.values())
    return ReadinessResponse(status="ready" if ready else "unready", checks=checks)


async def engine_readiness(services: ApiServices) -> CheckResponse:
    """The engine alone: what a query needs besides the database."""
    return await _check(_engine(services), "the engine")


async def _engine(services: ApiServices) -> None:
    status = await services.engine.ping()
    if status.busy_seconds > _STALLED_SECONDS:
        raise Unavailable(f"the engine has been at one device pass for {status.busy_seconds:.0f} s")


async def _worker(services: ApiServices) -> None:
    if await anyio.to_thread.run_sync(services.jobs.workers) == 0:
        raise Unavailable("no worker gives a sign of life")


async def _check(asked: Awaitable[None], name: str) -> CheckResponse:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asked
    except Unavailable as error:
        return CheckResponse(ok=False, detail=error.detail)
    except TimeoutError:
        return CheckResponse(ok=False, detail=f"{name} does not answer")
    except Exception:
        # Before the tables are made, say: not ready, and no reason to fail at telling so.
        logger.exception("readiness")
        return CheckResponse(ok=False, detail=f"{name} cannot be asked; the log tells more")
    return CheckResponse(ok=True)
