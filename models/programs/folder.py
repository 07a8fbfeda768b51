"""Compiled programs on disk, what was measured of them, and the process that makes one. Imports no torch.

Each program has a key, a file `KEY.pt2` and notes `KEY.json`. The folder may be shared by processes and machines,
and may be emptied at any time: it holds nothing that cannot be made again. A program is machine code that training
will run, so nobody else may be able to write here.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Literal

import msgspec

KEPT = 64  # programs; those unused for longest leave first
_LOG = "compile.log"  # what the latest compiler said

_log = logging.getLogger(__name__)


class Notes(msgspec.Struct, kw_only=True):
    """What is known of one key. Times in seconds."""

    eager: str | None = None  # the faster of the eager plans
    step_seconds: float | None = None  # of an outer step by it
    eager_seconds: float = 0.0  # trained by it so far, all jobs together
    verdict: Literal["faster", "slower", "failed"] | None = None  # of the program, measured against it


class ProgramFolder:
    """One a process. Compiles one program at a time."""

    def __init__(self, folder: Path, compiler: str) -> None:
        """`compiler` is the module that compiles, run as a process: a main that calls `child.compile_one`."""
        self.folder = folder
        self._compiler = compiler
        self._lock = Lock()
        self._compiling: subprocess.Popen[bytes] | None = None
        self._key = ""

    @property
    def busy(self) -> bool:
        """Whether a program is being compiled."""
        with self._lock:
            return self._compiling is not None and self._compiling.poll() is None

    def program(self, key: str) -> Path | None:
        """The program's file, if it is there."""
        path = self.folder / f"{key}.pt2"
        return path if path.exists() else None

    def notes(self, key: str) -> Notes:
        """What was noted of the key; fresh notes where nothing was, or nothing that can be read."""
        try:
            return msgspec.json.decode((self.folder / f"{key}.json").read_bytes(), type=Notes)
        except (OSError, msgspec.DecodeError):
            return Notes()

    def note(self, key: str, notes: Notes) -> None:
        """Keep notes; a folder that cannot be written is logged, and costs the next job its trial."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            written = self.folder / f"{key}.{os.getpid()}.json"
            written.write_bytes(msgspec.json.encode(notes))
            written.replace(self.folder / f"{key}.json")
        except OSError as error:
            _log.warning("notes on plans not kept: %s", error)

    def compile(self, key: str, request: bytes) -> None:
        """Begin to compile in a process of its own, unless one runs already; needs a C++ compiler."""
        with self._lock:
            if self._compiling is not None and self._compiling.poll() is None:
                return
            self._end()
            self._key = key
            try:
                self._compiling = self._begin(key, request)
            except OSError as error:
                _log.warning("compiling not begun: %s", error)

    def failure(self, key: str) -> str | None:
        """The end of what the compiler said, where it has failed at this key; told once. None where it has not."""
        with self._lock:
            status = self._compiling.poll() if self._compiling is not None and self._key == key else None
            if not status:
                return None
            self._end()
            said = (self.folder / _LOG).read_text(errors="replace").strip().splitlines()
            return said[-1] if said else f"it ended with status {status}"

    def close(self) -> None:
        """End the compiler, if one runs."""
        with self._lock:
            self._end()

    def _begin(self, key: str, request: bytes) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._prune()
        with (self.folder / _LOG).open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-P", "-m", self._compiler, str(self.folder), key],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        assert process.stdin is not None
        # Left open: the compiler ends when it is closed, which is when this process ends.
        process.stdin.write(request + b"\n")
        process.stdin.flush()
        return process

    def _end(self) -> None:
        if self._compiling is not None:
            if self._compiling.poll() is None:
                # With what it has started itself: the C++ compiler takes seconds to notice.
                os.killpg(self._compiling.pid, signal.SIGKILL)
            self._compiling.communicate()
            self._compiling = None

    def _prune(self) -> None:
        programs = sorted(self.folder.glob("*.pt2"), key=lambda path: path.stat().st_atime)
        for path in programs[: max(0, len(programs) - KEPT)]:
            path.unlink(missing_ok=True)


def has_compiler() -> bool:
    """Whether there is a C++ compiler that torch would find."""
    return any(shutil.which(name) for name in (os.environ.get("CXX"), "g++", "clang++") if name)
