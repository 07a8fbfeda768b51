"""What is measured, as processes of their own on free ports: ours whole, and a module that serves beside it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from app.cli.child_server import ChildServer, choose_port
from innerloop import Client
from tests.benchmarks.process_tree import family_of

PATIENCE_S = 60.0


class Ours:
    """`innerloop serve` on a folder, that is ready."""

    def __init__(self, server: ChildServer) -> None:
        self._server = server
        self.port = server.port
        self.url = server.url
        self.folder = server.data_dir
        self.client = Client(server.url)

    @property
    def pids(self) -> dict[str, int]:
        """The process of each command: serve, api, engine, worker; whatever else there is by another name."""
        holder = int((self.folder / "serve.lock").read_text())
        return family_of(holder)

    def metrics(self) -> str:
        """What Prometheus reads."""
        return httpx.get(f"{self.url}/metrics", timeout=PATIENCE_S).raise_for_status().text

    def artifact(self, model: str, version: int = 1) -> bytes:
        return self.client.models.download(model, version)

    def check(self) -> None:
        """Raises ServerDied if it has ended."""
        self._server.check()


@contextmanager
def ours(folder: Path, compiled: Path | None = None, **settings: str) -> Iterator[Ours]:
    """The service on `folder`, with settings of its own; `compiled` is where compiled programs are shared."""
    folder.mkdir(parents=True, exist_ok=True)
    if compiled is not None and not (folder / "compiled").exists():
        compiled.mkdir(parents=True, exist_ok=True)
        (folder / "compiled").symlink_to(compiled, target_is_directory=True)
    server = ChildServer(folder, choose_port(0), folder / "serve.log")
    before = dict(os.environ)
    for name in before:
        if name.startswith("INNERLOOP_"):
            del os.environ[name]
    os.environ.update({f"INNERLOOP_{name.upper()}": value for name, value in settings.items()})
    try:
        server.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        server.wait_ready()
        running = Ours(server)
        with running.client:
            yield running
    finally:
        server.stop()


@contextmanager
def beside(module: str, *words: str) -> Iterator[int]:
    """A module that serves on the port that it is given; the port, once it answers."""
    port = choose_port(0)
    process = subprocess.Popen([sys.executable, "-P", "-m", module, str(port), *words], process_group=0)
    try:
        _wait(process, port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"a contender ended with status {process.returncode}")
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/", timeout=5.0)
            return
        time.sleep(0.05)
    raise RuntimeError("a contender does not answer")
