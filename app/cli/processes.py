"""The three processes as commands: what each reads from the environment, and how it is told to end.

Everything heavy is imported inside, so that `innerloop --help` stays quick.
"""

import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.configuration import configured, refuse
from app.cli.lifeline import Lifeline

if TYPE_CHECKING:
    from app.settings import HttpSettings
    from services.storage.settings import StorageSettings

_LIFELINE_SECONDS = 12.0

Host = Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless given.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on, 8000 unless given; 0 takes a free one.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder for databases and files; ./data unless given.")]
Tether = Annotated[int | None, typer.Option("--lifeline", hidden=True)]
_Inherited = Annotated[int | None, typer.Option("--socket", hidden=True)]


def api(host: Host = None, port: Port = None, lifeline: Tether = None, inherited: _Inherited = None) -> None:
    """Run the HTTP api alone."""
    with _importing():
        from app.serving import serve_api
        from app.settings import HttpSettings
        from services.datasets.limits import DatasetLimits
        from services.engine.settings import EngineSettings
        from services.jobs.settings import WorkerSettings
        from services.storage.settings import StorageSettings
        from services.telemetry.logging import configure_logging
        from services.telemetry.settings import LogSettings

    configure_logging(configured(LogSettings), "api")
    settings = configured(HttpSettings, host=host, port=port)
    storage = configured(StorageSettings)
    hold(lifeline)
    listener = (
        open_port(settings.host, settings.port) if inherited is None else socket.socket(fileno=inherited)
    )
    refuse_strangers(listener, settings, storage)
    limits = DatasetLimits(upload_bytes=settings.dataset_bytes)
    serve_api(listener, settings, storage, configured(EngineSettings), configured(WorkerSettings), limits)


def engine(lifeline: Tether = None) -> None:
    """Run the engine alone: the process that owns the device."""
    with _importing():
        from services.engine.settings import EngineSettings
        from services.engine_bootstrap import run_engine
        from services.storage.settings import StorageSettings
        from services.telemetry.logging import configure_logging
        from services.telemetry.settings import LogSettings

    configure_logging(configured(LogSettings), "engine")
    settings, storage = configured(EngineSettings), configured(StorageSettings)
    hold(lifeline)
    run_engine(settings, storage)


def worker(lifeline: Tether = None) -> None:
    """Run a worker alone: the process that meta-trains."""
    with _importing():
        from services.jobs.settings import WorkerSettings
        from services.storage.settings import StorageSettings
        from services.telemetry.logging import configure_logging
        from services.telemetry.settings import LogSettings
        from services.worker_bootstrap import run_worker

    configure_logging(configured(LogSettings), "worker")
    settings, storage = configured(WorkerSettings), configured(StorageSettings)
    hold(lifeline)
    run_worker(settings, storage)


def migrate(lifeline: Tether = None) -> None:
    """Make or upgrade the databases; run it before the processes of a new version start."""
    with _importing():
        from services.jobs.carrier import migrate_jobs
        from services.storage.migrations import migrate as migrate_tables
        from services.storage.settings import StorageSettings
        from services.telemetry.logging import configure_logging
        from services.telemetry.settings import LogSettings

    configure_logging(configured(LogSettings), "migrate")
    storage = configured(StorageSettings)
    hold(lifeline)
    migrate_tables(storage)
    migrate_jobs(storage)


def open_port(host: str, port: int) -> socket.socket:
    """The listening socket, or the end of this program with a message."""
    from app.cli.listening import listening_socket

    try:
        return listening_socket(host, port)
    except OSError as error:
        refuse(f"cannot listen on {host} port {port}: {error.strerror or error}; choose another with --port")


def refuse_strangers(listener: socket.socket, settings: "HttpSettings", storage: "StorageSettings") -> None:
    """The end of this program where others than this machine could call, and would need no key."""
    from app.cli.listening import is_loopback

    if is_loopback(listener):
        return
    from app.serving import keys_exist

    if not keys_exist(settings, storage):
        refuse(
            f"refusing to listen on {listener.getsockname()[0]} without a key: anybody could use the service.\n"
            "Make one with `innerloop keys create --name NAME`, set INNERLOOP_API_KEY, or listen on 127.0.0.1."
        )


@contextmanager
def _importing() -> Iterator[None]:
    """What imports make stays for good: the garbage collector need not go through it, now or ever."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def hold(lifeline: int | None) -> None:
    """Wait for the word of whoever started this process, and end when they do."""
    if lifeline is not None:
        Lifeline(lifeline, _LIFELINE_SECONDS).hold()
