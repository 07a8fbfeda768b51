"""`innerloop check`: is the process in this container well? For health checks; 0 means yes."""

import asyncio
import http.client
import socket
import sys
from typing import Annotated, Literal, NoReturn

import typer

from app.cli.configuration import configured
from app.cli.processes import Port

app = typer.Typer(
    help="Health checks for containers: 0 where the process here is well.", no_args_is_help=True
)

Process = Literal["api", "engine", "worker"]

_PATIENCE_SECONDS = 3.0


def check(process: Annotated[Process, typer.Argument(help="Which one.")], port: Port = None) -> None:
    """Exit with 0 where the process on this machine is well."""
    if process == "api":
        _check_api(port)
    elif process == "engine":
        _check_engine()
    else:
        _check_worker()


def _check_api(port: int | None) -> None:
    """Does the api on this machine answer?"""
    from app.settings import HttpSettings

    settings = configured(HttpSettings, port=port)
    connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        _unwell(f"the api does not answer: {error}")
    if status != http.HTTPStatus.OK:
        _unwell(f"the api answers {status}")


def _check_engine() -> None:
    """Does the engine at the configured address answer?"""
    from services.engine.remote_client import RemoteEngineClient
    from services.engine.settings import EngineSettings
    from services.errors import Unavailable

    settings = configured(EngineSettings)

    async def ping() -> None:
        client = RemoteEngineClient(settings.address, settings.engine_timeout_seconds)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while True:
                    try:
                        await client.ping()
                    except Unavailable:
                        # A connection takes a moment to be made.
                        await asyncio.sleep(0.05)
                    else:
                        return
        finally:
            await client.aclose()

    try:
        asyncio.run(ping())
    except TimeoutError:
        _unwell(f"no engine answers at {settings.address}")


def _check_worker() -> None:
    """Did a worker on this machine give a sign of life lately?"""
    from services.clock import SystemClock
    from services.errors import Unavailable
    from services.jobs.liveness import SILENCE, heartbeats, is_alive
    from services.storage.database import Database
    from services.storage.settings import StorageSettings

    database = Database(configured(StorageSettings).tables_url)
    try:
        with database.read() as session:
            found = heartbeats(session)
    except Unavailable as error:
        _unwell(error.detail)
    finally:
        database.close()
    here = [one for one in found if one.host == socket.gethostname()]
    if not any(is_alive(one, SystemClock().now(), SILENCE) for one in here):
        _unwell("no worker on this machine gives a sign of life")


def _unwell(reason: str) -> NoReturn:
    print(f"innerloop: {reason}", file=sys.stderr)
    sys.exit(1)
