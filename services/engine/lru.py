"""A cache bounded by bytes: the least recently used leave first. Knows nothing of what it holds."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class ByteBudget(Generic[T]):
    """Values by name, each with its size. Not safe for several threads."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.held = 0
        self._entries: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: Hashable) -> bool:
        return name in self._entries

    def get(self, name: Hashable) -> T | None:
        entry = self._entries.get(name)
        if entry is None:
            return None
        self._entries.move_to_end(name)
        return entry[0]

    def put(self, name: Hashable, value: T, size: int) -> None:
        """Hold `value`, `size` bytes; what is over the budget leaves, the value itself if it alone is."""
        self.drop(name)
        self._entries[name] = (value, size)
        self.held += size
        while self.held > self.budget:
            self.drop(next(iter(self._entries)))

    def drop(self, name: Hashable) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self.held -= entry[1]
