"""`innerloop serve` as a child process: started on a free port, waited for, ended by its own pid or with ours.

Knows processes and ports; not what is done with the service.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from app.cli.lifeline import Tethered
from app.cli.listening import listening_socket
from innerloop import Client, ConnectionFailed, InnerloopError

READY_PATIENCE_S = 120.0
# The service drains and ends its own processes in order; this is longer than all of that may take.
STOP_PATIENCE_S = 30.0
# Where a port is in use the next ones are tried: an address that somebody keeps then survives a restart.
NEIGHBOURS = 20
_LOOK_S = 0.1
_TAIL_LINES = 25


class ServerDied(InnerloopError):
    """The child ended by itself, or never became ready; the message ends with the last lines of its log."""


class ChildServer:
    """A service of this very installation, listening on loopback."""

    def __init__(self, data_dir: Path, port: int, log: Path, program: Sequence[str] | None = None) -> None:
        """`log` takes everything that the service prints. `program` stands in for `innerloop` in tests."""
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.data_dir = data_dir
        self.log = log
        self._program = program or [sys.executable, "-P", "-m", "innerloop"]
        self._running: Tethered | None = None
        self._began = 0

    def start(self) -> None:
        """Start it; returns at once."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        # Appended to: where the folder is in use, this is the log of the server that uses it.
        with self.log.open("ab") as log:
            self._began = log.tell()
            self._running = Tethered([*self._program, "serve", *options], dict(os.environ), output=log)
        self._running.go()

    def wait_ready(self, patience_s: float = READY_PATIENCE_S) -> float:
        """Wait until it can answer; the seconds that took. Raises ServerDied where it cannot."""
        began = time.monotonic()
        with Client(self.url, max_retries=0, timeout=5.0) as client:
            while time.monotonic() - began < patience_s:
                self.check()
                with suppress(ConnectionFailed):
                    if client.health().status == "ready":
                        return time.monotonic() - began
                time.sleep(_LOOK_S)
        raise ServerDied(f"the service was not ready within {patience_s:.0f} s{self._tail()}")

    def check(self) -> None:
        """Raises ServerDied if the child has ended."""
        if self._running is not None and self._running.process.poll() is not None:
            status = self._running.process.returncode
            raise ServerDied(f"the service ended with status {status}{self._tail()}")

    def wait(self) -> None:
        """Wait until it ends by itself, which it should not: raises ServerDied then."""
        if self._running is not None:
            self._running.process.wait()
            self.check()

    def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL to its group where that takes too long or a second Ctrl-C comes."""
        if self._running is None or self._running.process.poll() is not None:
            return
        process = self._running.process
        process.terminate()
        try:
            process.wait(STOP_PATIENCE_S)
        except BaseException as error:
            # Not reaped yet, so the group's id is still this child's.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise

    def _tail(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._began)
            lines = log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
        return "; its log ends with:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""


def choose_port(wanted: int) -> int:
    """`wanted` if it is free on loopback, else the first free one of the next, else any free one."""
    neighbours = range(wanted, min(wanted + NEIGHBOURS, 1 << 16)) if wanted else ()
    for port in (*neighbours, 0):
        with suppress(OSError), listening_socket("127.0.0.1", port) as probe:
            chosen: int = probe.getsockname()[1]
            return chosen
    raise OSError("no free port on this machine")


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an ordinary exit, so that every `finally` on the way out is run."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
