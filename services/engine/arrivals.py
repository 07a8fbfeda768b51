"""Calls whose adapted model is on its way from storage, and what has arrived. Knows no queue and no device."""

import threading
from collections.abc import Callable, Hashable

from services.engine.loader import Loader


class Arrivals:
    """Every method may be called from any thread."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._lock = threading.Lock()
        self._names: set[Hashable] = set()  # of calls that wait
        self._files: list[tuple[str, bytes]] = []

    def __len__(self) -> int:
        """How many calls wait."""
        return len(self._loader)

    def fetch(self, digest: str, name: Hashable, arrived: Callable[[], None]) -> None:
        """Read the file of that digest.

        Then, or once it cannot be had, calls `arrived` on the loader's thread, unless the call was forgotten.
        """

        def then(file: bytes | None) -> None:
            with self._lock:
                if file is not None:
                    self._files.append((digest, file))
                is_wanted = name in self._names
                self._names.discard(name)
            if is_wanted:
                arrived()

        with self._lock:
            self._names.add(name)
        self._loader.fetch(digest, then)

    def forget(self, name: Hashable) -> bool:
        """Whether a call of that name waited; it does no longer."""
        with self._lock:
            waited = name in self._names
            self._names.discard(name)
        return waited

    def taken(self) -> list[tuple[str, bytes]]:
        """Digests and files that have arrived since this was asked last."""
        with self._lock:
            files, self._files = self._files, []
        return files

    def start(self) -> None:
        self._loader.start()

    def stop(self) -> None:
        """Fetch what is wanted, and end."""
        self._loader.stop()
