"""The process that compiles one program, beside those that serve or train and behind them. Imports no torch.

Its request comes in by standard input, as one line. It ends when its standard input does, so it never outlives
whoever wanted the program. The program appears in the folder whole or not at all; where another process compiles
the same one, this one leaves it to that.
"""

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

# Behind the others, but not starved by a machine that is busy throughout.
_NICE = 5


def compile_one(compile_program: Callable[[bytes, Path], None]) -> None:
    """The main of `python -P -m MODULE FOLDER KEY`. `compile_program` writes the request's program to a file."""
    folder, key = Path(sys.argv[1]), sys.argv[2]
    os.nice(_NICE)
    request = sys.stdin.buffer.readline()
    Thread(target=_end_with_input, daemon=True).start()
    with (folder / f"{key}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        building = folder / f"{key}.building"
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        try:
            # Read when the compiler is imported. One thread: the others have the other cores.
            os.environ |= {"TORCHINDUCTOR_CACHE_DIR": str(building), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
            compile_program(request, building / f"{key}.pt2")
            (building / f"{key}.pt2").replace(folder / f"{key}.pt2")
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _end_with_input() -> None:
    # Not by sys.stdin, which this thread would still hold when the process ends by itself.
    while os.read(0, 1):
        pass
    # Whoever started it made it the first of a group of its own: the C++ compiler is in it too.
    os.killpg(0, signal.SIGKILL)
