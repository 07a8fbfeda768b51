"""Who listens on an address. A unix socket's file outlives its process, so a lock beside it tells who is there."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.05


@contextmanager
def sole_listener(address: str, patience_seconds: float) -> Iterator[None]:
    """Hold `address` for this process while inside; its folder is made, readable by this user alone.

    A predecessor that is still on its way out is waited for. Raises RuntimeError where it stays. Addresses other
    than `ipc://` are guarded by the kernel and pass.
    """
    if not address.startswith("ipc://"):
        yield
        return
    path = Path(address.removeprefix("ipc://"))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The lock goes with its process, kill -9 included; the file stays, for removing it would race.
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(lock, address, patience_seconds)
        yield
    finally:
        os.close(lock)


def _take(lock: int, address: str, patience_seconds: float) -> None:
    until = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise RuntimeError(f"another engine listens on {address}") from None
            time.sleep(_POLL_SECONDS)
        else:
            return
