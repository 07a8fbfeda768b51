"""`innerloop serve`: api, engine and worker on one machine, started, watched and ended together."""

import fcntl
import http.client
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from app.cli.configuration import configured, refuse
from app.cli.listening import url_of
from app.cli.processes import DataDir, Host, Port, Tether, hold, open_port, refuse_strangers
from app.cli.supervisor import Service, Supervisor, environment_with, own_command

_LOCK = "serve.lock"
_PROBE_SECONDS = 1.0
_LOOK_SECONDS = 0.2
_SLACK_SECONDS = 3.0
"""What a process may take to end beyond the time that it gives its work."""


def serve(host: Host = None, port: Port = None, data_dir: DataDir = None, lifeline: Tether = None) -> None:
    """Start everything on this machine and keep it running until Ctrl-C or SIGTERM."""
    from app.settings import HttpSettings
    from services.engine.settings import EngineSettings
    from services.jobs.settings import WorkerSettings
    from services.storage.settings import StorageSettings
    from services.telemetry.logging import configure_logging
    from services.telemetry.settings import LogSettings

    configure_logging(configured(LogSettings), "serve")
    hold(lifeline)
    settings = configured(HttpSettings, host=host, port=port)
    storage = configured(StorageSettings, data_dir=data_dir)
    # Everything that a child would refuse is refused here, once, before there are any.
    configured(EngineSettings)
    leaving = configured(WorkerSettings).worker_leave_seconds
    folder = storage.data_dir.absolute()
    with open_port(settings.host, settings.port) as listener, ExitStack() as held:
        refuse_strangers(listener, settings, storage)
        held.enter_context(_sole_server(folder))
        url = url_of(listener)
        inherited = str(listener.fileno())
        services = (
            Service(
                "api",
                own_command("api", "--socket", inherited),
                inherit=(listener.fileno(),),
                patience_seconds=settings.graceful_seconds + _SLACK_SECONDS,
            ),
            Service("engine", own_command("engine"), patience_seconds=_SLACK_SECONDS),
            Service("worker", own_command("worker"), patience_seconds=leaving + _SLACK_SECONDS),
        )
        supervisor = Supervisor(services, environment_with(INNERLOOP_DATA_DIR=str(folder)))
        # What is in flight in the api needs the engine, so that one ends last.
        status = supervisor.run(
            own_command("migrate"), _announcement(url), ending=(("api", "worker"), ("engine",))
        )
    sys.exit(status)


@contextmanager
def _sole_server(folder: Path) -> Iterator[None]:
    """Hold the data folder; the kernel lets go of it when this process ends, however it does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            refuse(
                f"the folder {folder} is in use by another server (process {holder}); choose another --data-dir"
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _announcement(url: str) -> Callable[[], None]:
    """Says once that the service is ready, as soon as it is."""
    announced = False
    look_at = time.monotonic() + _LOOK_SECONDS

    def look() -> None:
        nonlocal announced, look_at
        if announced or time.monotonic() < look_at:
            return
        look_at = time.monotonic() + _LOOK_SECONDS
        if _is_ready(url):
            announced = True
            print(f"Innerloop is ready at {url} (documentation: {url}/docs)", flush=True)

    return look


def _is_ready(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
