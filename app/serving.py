"""The api process: the application on uvicorn, on a socket that is open already, until it is told to end."""

import gc
import signal
import socket
import sys
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.main import create_app
from app.settings import HttpSettings
from services.access.service import AccessService
from services.api_bootstrap import open_services
from services.clock import SystemClock
from services.datasets.limits import DatasetLimits
from services.engine.settings import EngineSettings
from services.errors import Unavailable
from services.jobs.settings import WorkerSettings
from services.storage.database import Database
from services.storage.settings import StorageSettings

_COLLECTED_EVERY = (10_000, 20, 20)
"""The thresholds of Python's garbage collector; its own, 700 objects, are reached by five requests."""


class _Server(uvicorn.Server):
    """uvicorn, which by itself waits for open streams before the application hears of the shutdown."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Set by the lifespan, so absent until the application has started.
        drain = getattr(self._app.state, "drain", None)
        if drain is not None:
            drain.begin_soon()
        super().handle_exit(sig, frame)


def api_server(app: FastAPI, settings: HttpSettings) -> uvicorn.Server:
    """A server for the application, to be run on sockets that are open already."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        # The application keeps its own log of requests, with their ids.
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        # Nothing here asks where a request came from or by which scheme.
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, round(settings.graceful_seconds)),
    )
    return _Server(config, app)


def serve_api(
    listener: socket.socket,
    settings: HttpSettings,
    storage: StorageSettings,
    engine: EngineSettings,
    worker: WorkerSettings,
    dataset_limits: DatasetLimits,
) -> None:
    """Serve until SIGTERM or SIGINT: then readiness says no, streams end, and requests in flight are finished."""
    app = create_app(settings, partial(open_services, storage, engine, worker, dataset_limits))
    # Hardly anything here is ever part of a cycle, and hundreds of requests are in flight.
    gc.set_threshold(*_COLLECTED_EVERY)
    # uvicorn raises the signal again once it is done; by then there is nothing left to do but to end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    api_server(app, settings).run(sockets=[listener])


def keys_exist(settings: HttpSettings, storage: StorageSettings) -> bool:
    """Whether callers have to bring a key."""
    if settings.api_key is not None:
        return True
    database = Database(storage.tables_url)
    try:
        return AccessService(database, SystemClock()).any_keys()
    except Unavailable:
        # What cannot be asked protects nothing.
        return False
    finally:
        database.close()
