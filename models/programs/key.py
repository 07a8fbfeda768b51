"""Names of compiled programs: what a program is for, and all that its machine code depends on. Compiles nothing."""

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import torch

_MODELS = Path(__file__).parents[1]


def program_key(spec: bytes, sources: Iterable[Path] = ()) -> str:
    """A name for the program of a spec among all that this or another machine may have compiled.

    `sources` are files that it is made from besides our models.
    """
    machine = (platform.system(), platform.machine(), torch.backends.cpu.get_cpu_capability(), _processor())
    parts = (spec, torch.__version__, *machine, _digest(tuple(sources)))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@cache
def _processor() -> str:
    """What this processor can do: programs are compiled for it and no other."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


@cache
def _digest(sources: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for path in sorted({*_MODELS.rglob("*.py"), *sources}):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
