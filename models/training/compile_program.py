"""The process that compiles one program, beside training and behind it. Its request comes in by standard input.

    python -P -m models.training.compile_program FOLDER KEY      the ProgramSpec as one line of JSON

It ends when its standard input does, so it never outlives whoever wanted the program. The program appears in the
folder whole or not at all; where another process compiles the same one, this one leaves it to that.
"""

import fcntl
import os
import shutil
import sys
from pathlib import Path
from threading import Thread

# Behind training, but not starved by a machine that is busy throughout.
_NICE = 5


def main() -> None:
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
            _compile(request, building, folder / f"{key}.pt2")
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _compile(request: bytes, building: Path, program: Path) -> None:
    # Read when the compiler is imported. One thread: training has the other cores.
    os.environ |= {"TORCHINDUCTOR_CACHE_DIR": str(building), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    import msgspec
    import torch
    from torch._inductor import config as inductor

    from models.training.program import ProgramSpec
    from models.training.program_code import compile_program

    spec = msgspec.json.decode(request, type=ProgramSpec)
    torch.set_num_threads(spec.threads)
    # Headers compiled beforehand take 280 MB and serve one program.
    inductor.cpp_cache_precompile_headers = False
    compile_program(spec, building / program.name)
    (building / program.name).replace(program)


def _end_with_input() -> None:
    # Not by sys.stdin, which this thread would still hold when the process ends by itself.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
