"""Programs compiled in another process, kept on disk, and loaded from there. Knows orders and that folder.

Compiling takes tens of seconds of a core and of Python's lock: in this process every call would feel it. Loading
what a child has compiled takes milliseconds.
"""

import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch

from models.programs.folder import Notes, ProgramFolder
from models.programs.key import program_key
from services.engine import layout, programs
from services.engine.programs import ProgramSpec

logger = logging.getLogger(__name__)

Compiled = Callable[..., list[torch.Tensor]]

_SOURCES = tuple(Path(str(module.__file__)) for module in (layout, programs))


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to compile: a program for M = `tasks`, on a device, for so many threads."""

    spec: ProgramSpec
    tasks: int
    device: str
    threads: int


class Workshop:
    """One order at a time, in the order in which they came. Not safe for several threads."""

    def __init__(self, folder: ProgramFolder, device: torch.device, threads: int) -> None:
        self._folder = folder
        self._device = device
        self._threads = threads
        self._orders: deque[Order] = deque()
        self._under_way: str | None = None
        self._keys: dict[Order, str] = {}

    def has(self, spec: ProgramSpec, tasks: int) -> bool:
        """Whether there is one for `find` to load."""
        self._tend()
        key = self._key(self._order(spec, tasks))
        return self._folder.program(key) is not None and self._folder.notes(key).verdict is None

    def find(self, spec: ProgramSpec, tasks: int) -> Compiled | None:
        """The compiled program, if it is there."""
        if not self.has(spec, tasks):
            return None
        key = self._key(self._order(spec, tasks))
        package = self._folder.program(key)
        if package is None:
            return None  # others may empty the folder
        # Imports the compiler's package, for a second or two; no engine needs it that has no program.
        from torch._inductor import aoti_load_package

        try:
            loader = aoti_load_package(str(package)).loader
        except (RuntimeError, OSError):
            logger.warning("a compiled program could not be loaded", exc_info=True)
            self._folder.note(key, Notes(verdict="failed"))
            return None
        # Flat tensors in and out: the package's own call first looks for nests in them, longer than a pass takes.
        return lambda *tensors: loader.boxed_run(list(tensors))

    def ask(self, spec: ProgramSpec, tasks: int) -> None:
        """Have it compiled, some time; one that failed or did not hold is not compiled again."""
        order = self._order(spec, tasks)
        if self._folder.notes(self._key(order)).verdict is None:
            self._orders.append(order)
            self._tend()

    def reject(self, spec: ProgramSpec, tasks: int, distance: float) -> None:
        """It was compiled and did not hold: remember that."""
        logger.warning(
            "a compiled program was not better", extra={"program": spec.kind, "distance": distance}
        )
        self._folder.note(self._key(self._order(spec, tasks)), Notes(verdict="slower"))

    def close(self) -> None:
        """End what is under way."""
        self._orders.clear()
        self._folder.close()

    def _tend(self) -> None:
        """See to the child: never waits."""
        if self._folder.busy:
            return
        if self._under_way is not None:
            failure = self._folder.failure(self._under_way)
            if failure is not None:
                logger.warning("a program could not be compiled: %s", failure)
                self._folder.note(self._under_way, Notes(verdict="failed"))
            self._under_way = None
        if self._orders:
            order = self._orders.popleft()
            self._under_way = self._key(order)
            self._folder.compile(self._under_way, msgspec.json.encode(order))

    def _order(self, spec: ProgramSpec, tasks: int) -> Order:
        return Order(spec=spec, tasks=tasks, device=self._device.type, threads=self._threads)

    def _key(self, order: Order) -> str:
        key = self._keys.get(order)
        if key is None:
            key = self._keys[order] = program_key(msgspec.json.encode(order), _SOURCES)
        return key
