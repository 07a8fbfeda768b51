"""`innerloop serve` as a process of its own, for tests: started, asked, killed, and looked after."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from app.cli.listening import listening_socket

PATIENCE_SECONDS = 90.0
_GLANCE_SECONDS = 0.05


def wait_for(found: Callable[[], Any], what: str, patience_seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true answer of `found`; fails where there is none in time."""
    until = time.monotonic() + patience_seconds
    while time.monotonic() < until:
        if answer := found():
            return answer
        time.sleep(_GLANCE_SECONDS)
    raise AssertionError(f"no {what} within {patience_seconds:g} s")


def environment(**changes: str) -> dict[str, str]:
    """This environment without settings of ours, on few threads."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("INNERLOOP_")}
    return {**plain, "INNERLOOP_WORKER_THREADS": "1", "INNERLOOP_ENGINE_THREADS": "1", **changes}


def innerloop(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "innerloop", *words]


def free_port() -> int:
    with listening_socket("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Server:
    """One `innerloop serve` on a folder; it may be started again on the same folder and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)

    @property
    def supervisor(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                innerloop("serve", "--port", str(self.port), "--data-dir", str(self.folder)),
                env=environment(),
                stdout=log,
                stderr=log,
            )
        self.wait_until_ready()

    def ensure_ready(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.start()
        else:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.supervisor.poll() is None, self.log.read_text()[-4000:]
            return self.readiness() == 200

        wait_for(ready, "readiness")

    def readiness(self) -> int:
        """The status of /readyz; 0 where nobody answers."""
        with contextlib.suppress(httpx.HTTPError):
            return self.http.get("/readyz", timeout=5).status_code
        return 0

    def children(self) -> dict[str, int]:
        """The pid of each process that the supervisor runs, by name."""
        found: dict[str, int] = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if parent == self.supervisor.pid and is_running(int(entry.name)):
                    found[words[words.index(b"innerloop") + 1].decode()] = int(entry.name)
        return found

    def kill(self, name: str) -> int:
        """kill -9 one of its processes; its pid."""
        pid = wait_for(lambda: self.children().get(name), f"{name} process")
        os.kill(pid, signal.SIGKILL)
        return int(pid)

    def kill_everything(self) -> None:
        pids = [self.supervisor.pid, *self.children().values()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.supervisor.wait()
        wait_for(lambda: not any(map(is_running, pids)), "end of every process")

    def close(self) -> None:
        self.http.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_SECONDS)
