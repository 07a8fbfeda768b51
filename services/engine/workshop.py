"""Programs compiled in another process, kept on disk, and loaded from there. Knows files and that process.

Compiling takes tens of seconds of a core and of Python's lock: in this process every call would feel it. A child
at the lowest priority traces the program, compiles it ahead of time and leaves a package under a name that says
what it was made from and for; loading one takes milliseconds. The folder is as trusted as the program itself.
"""

import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec
import torch

import models
from services.engine.programs import ProgramSpec

logger = logging.getLogger(__name__)

_PACKAGE = ".pt2"
_REJECTED = ".rejected"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to compile: a program for M = `tasks`, on a device, for so many threads."""

    spec: ProgramSpec
    tasks: int
    device: str
    threads: int


class Workshop:
    """One order at a time, in the order in which they came. Not safe for several threads."""

    def __init__(self, folder: Path, device: torch.device, threads: int) -> None:
        self._folder = folder
        self._device = device
        self._threads = threads
        self._orders: deque[Order] = deque()
        self._paths: dict[Order, Path] = {}
        self._child: subprocess.Popen[bytes] | None = None
        self._under_way: Path | None = None
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def find(self, spec: ProgramSpec, tasks: int) -> Callable[..., list[torch.Tensor]] | None:
        """The compiled program, if it is there."""
        self._tend()
        package = self._path(self._order(spec, tasks))
        if not package.exists():
            return None
        try:
            loaded: Callable[..., list[torch.Tensor]] = torch._inductor.aoti_load_package(str(package))
        except Exception:
            logger.warning("a compiled program could not be loaded; it is made anew", exc_info=True)
            package.unlink(missing_ok=True)
            return None
        return loaded

    def ask(self, spec: ProgramSpec, tasks: int) -> None:
        """Have it compiled, some time."""
        order = self._order(spec, tasks)
        if not self._path(order).with_suffix(_REJECTED).exists():
            self._orders.append(order)
            self._tend()

    def reject(self, spec: ProgramSpec, tasks: int, distance: float) -> None:
        """It was compiled and did not hold: forget it, and remember that."""
        package = self._path(self._order(spec, tasks))
        logger.warning(
            "a compiled program was not better", extra={"program": spec.kind, "distance": distance}
        )
        package.with_suffix(_REJECTED).write_text(f"{distance}\n")
        package.unlink(missing_ok=True)

    def close(self) -> None:
        """End what is under way."""
        self._orders.clear()
        if self._child is not None and self._child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
        self._settle()

    def _tend(self) -> None:
        """See to the child: never waits."""
        if self._child is not None:
            if self._child.poll() is None:
                return
            self._settle()
        if self._orders:
            self._start(self._orders.popleft())

    def _start(self, order: Order) -> None:
        self._under_way = self._path(order)
        # -P: what lies in the folder that the engine runs in must not be imported in place of our packages.
        command = [sys.executable, "-P", "-m", "services.engine.compiling", str(self._under_way)]
        with self._log().open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(self._folder / "work")},
            )
        assert self._child.stdin is not None
        # The pipe stays open: the child ends when it closes, however this process ends.
        self._child.stdin.write(msgspec.json.encode(order) + b"\n")
        self._child.stdin.flush()

    def _settle(self) -> None:
        if self._child is None:
            return
        if self._child.returncode > 0:
            logger.warning("a program could not be compiled; see %s", self._log())
            assert self._under_way is not None
            self._under_way.with_suffix(_REJECTED).write_text("not compiled\n")
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child = self._under_way = None

    def _log(self) -> Path:
        return self._folder / "compiling.log"

    def _order(self, spec: ProgramSpec, tasks: int) -> Order:
        return Order(spec=spec, tasks=tasks, device=self._device.type, threads=self._threads)

    def _path(self, order: Order) -> Path:
        path = self._paths.get(order)
        if path is None:
            made_of = hashlib.sha256(msgspec.json.encode(order) + _made_with())
            path = self._paths[order] = self._folder / f"{made_of.hexdigest()[:32]}{_PACKAGE}"
        return path


def has_compiler() -> bool:
    """Whether there is a C++ compiler to compile with."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name)


@cache
def _made_with() -> bytes:
    """What else a compiled program depends on: torch, this machine's processor, and the code of our models."""
    digest = hashlib.sha256(f"{torch.__version__} {torch.backends.cpu.get_cpu_capability()}".encode())
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        flags = [line for line in cpu.read_text().splitlines() if line.startswith(("flags", "Features"))]
        digest.update("".join(flags[:1]).encode())
    for root in (*models.__path__, str(Path(__file__).parent / "programs.py")):
        for source in sorted(Path(root).rglob("*.py")) if Path(root).is_dir() else [Path(root)]:
            digest.update(source.read_bytes())
    return digest.digest()
