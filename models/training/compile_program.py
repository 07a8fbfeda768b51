"""The process that compiles a block of outer steps: `python -P -m models.training.compile_program FOLDER KEY`."""

from pathlib import Path

from models.programs.child import compile_one

COMPILER = "models.training.compile_program"
"""This module, as a `ProgramFolder` starts it."""


def main() -> None:
    compile_one(_compile)


def _compile(request: bytes, file: Path) -> None:
    """`request` is a ProgramSpec as JSON."""
    # Imported here: where the compiler keeps its own files was only said a moment ago.
    import msgspec
    import torch
    from torch._inductor import config as inductor

    from models.training.program import ProgramSpec
    from models.training.program_code import compile_program

    spec = msgspec.json.decode(request, type=ProgramSpec)
    torch.set_num_threads(spec.threads)
    # Headers compiled beforehand take 280 MB and serve one program.
    inductor.cpp_cache_precompile_headers = False
    compile_program(spec, file)


if __name__ == "__main__":
    main()
