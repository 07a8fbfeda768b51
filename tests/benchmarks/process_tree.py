"""Processes by what they are, from the kernel's own books (Linux). Knows /proc, and the service's command words."""

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_COMPILER = "services.engine.compiling"


def family_of(pid: int) -> dict[str, int]:
    """A supervisor and its children, by the command of `innerloop` that each runs."""
    found = {"serve": pid}
    for child in children_of(pid):
        words = command_of(child)
        if "innerloop" in words:
            found[words[words.index("innerloop") + 1]] = child
    return found


def is_compiling(engine: int) -> bool:
    """Whether the engine has a child at work that compiles."""
    return any(_COMPILER in command_of(child) for child in children_of(engine))


def children_of(pid: int) -> list[int]:
    children = []
    for entry in _PROC.iterdir():
        with suppress(OSError, IndexError, ValueError):
            if int(entry.name) and int(_fields(entry)[1]) == pid and _fields(entry)[0] != "Z":
                children.append(int(entry.name))
    return children


def command_of(pid: int) -> list[str]:
    """The words of its command line; none where it is gone."""
    with suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return []


def resident_bytes(pid: int | None = None) -> int:
    """What the process, or this one, has in memory."""
    pages = int((_PROC / str(pid or "self") / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def written_bytes(pid: int) -> int:
    """What the process has had written to storage so far; 0 where the kernel does not say."""
    with suppress(OSError):
        for line in (_PROC / str(pid) / "io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                return int(line.split()[1])
    return 0


def _fields(entry: Path) -> list[str]:
    """State, parent and so on: what comes after the name, which may hold anything."""
    return (entry / "stat").read_text().rsplit(")", 1)[1].split()
