"""Programs of outer steps for the suites that train by them. Knows trainers and the folder; measures nothing."""

import sys
import time

import msgspec

from models.programs.folder import ProgramFolder
from models.training.program import ProgramSpec

PATIENCE_S = 900.0


def compiled_beside(program: ProgramSpec, folder: ProgramFolder, patience: float = PATIENCE_S) -> float:
    """Have the program compiled as a worker has it, in a process beside this one; the seconds that took."""
    key, began = program.key, time.monotonic()
    if folder.program(key) is None:
        folder.compile(key, msgspec.json.encode(program))
    while folder.program(key) is None:
        failure = folder.failure(key)
        if failure or time.monotonic() - began > patience:
            sys.exit(f"not compiled: {failure or 'it takes too long'}")
        time.sleep(0.2)
    return time.monotonic() - began
