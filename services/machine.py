"""What this machine has, where a default depends on it."""

import os
from pathlib import Path

# How much of the machine a container may take, in either version of control groups.
_CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_bytes(container_limits: tuple[Path, ...] = _CONTAINER_LIMITS) -> int:
    """Main memory that this process may use, in bytes: the machine's, or its container's where that is less."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in container_limits:
        try:
            found = min(found, int(path.read_text()))
        except (OSError, ValueError):  # not there, or "max": no limit
            continue
    return found
