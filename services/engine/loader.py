"""Adapted models fetched from storage while the device works: a call whose model is far away keeps nobody waiting.

Knows digests and files; nothing of calls and tiers. What waits at one moment is read in one query.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

ReadMany = Callable[[Sequence[str]], Mapping[str, bytes]]
"""The stored files of those digests that there are; raises where storage cannot answer."""
Then = Callable[[bytes | None], None]
"""Takes the file, None where it could not be had; must not block and must not raise."""

_MOST_AT_ONCE = 128


class Loader:
    """One thread. `fetch` may be called from any other."""

    def __init__(self, read_many: ReadMany) -> None:
        self._read_many = read_many
        self._wanted: dict[str, list[Then]] = {}
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="loader", daemon=True)

    def __len__(self) -> int:
        """How many wait for a file."""
        return sum(map(len, list(self._wanted.values())))

    def start(self) -> None:
        self._thread.start()

    def fetch(self, digest: str, then: Then) -> None:
        """Read a file, and hand it to `then` on this loader's thread; those who want the same one share it."""
        with self._wake:
            self._wanted.setdefault(digest, []).append(then)
            self._wake.notify()

    def stop(self) -> None:
        """Fetch what is wanted, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not (self._wanted or self._stopping):
                    self._wake.wait()
                if not self._wanted:
                    return
                digests = list(self._wanted)[:_MOST_AT_ONCE]
                wanted = {digest: self._wanted.pop(digest) for digest in digests}
            files = self._read(digests)
            for digest, waiting in wanted.items():
                for then in waiting:
                    then(files.get(digest))

    def _read(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        try:
            return self._read_many(digests)
        except Exception:
            # Whoever waits is told by the executor, which looks for itself.
            logger.warning("adapted models could not be read", exc_info=True)
            return {}
