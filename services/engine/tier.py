"""Adapted models in one kind of memory, bounded by bytes: the least recently used leave first. Reads no storage.

They leave between passes only (`trim`), so that what a pass has found stays where it is until it is over. What is
kept of each beside its row is one entry of a dictionary, because there may be a million.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from services.engine.layout import Layout
from services.engine.slab import Slab

_PLACE_BITS = 40


class Held(NamedTuple):
    """Where an adapted model lies in its tier, until the next `trim`."""

    layout: Layout
    place: int


class Tier:
    """Rows by the sha256 that names them. Not safe for several threads."""

    def __init__(self, name: str, device: torch.device, budget: int) -> None:
        """`name` is for the metrics; `budget` in bytes of rows."""
        self.name = name
        self.device = device
        self._budget = budget
        self._bytes = 0
        self._layouts: list[Layout] = []
        self._slabs: dict[Layout, tuple[int, Slab]] = {}
        # The number of the layout, and below it the place: an integer is half the size of a pair.
        self._entries: OrderedDict[bytes, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, digest: str) -> bool:
        return bytes.fromhex(digest) in self._entries

    def find(self, digest: str) -> Held | None:
        """The model, which is now the last to leave; None where it is not here."""
        name = bytes.fromhex(digest)
        entry = self._entries.get(name)
        if entry is None:
            return None
        self._entries.move_to_end(name)
        return Held(self._layouts[entry >> _PLACE_BITS], entry & ((1 << _PLACE_BITS) - 1))

    def put(self, layout: Layout, digests: Sequence[str], rows: Tensor) -> None:
        """Hold copies of rows [M, P]; those that are here already stay as they are."""
        new = {bytes.fromhex(digest): m for m, digest in enumerate(digests)}
        for name in [name for name in new if name in self._entries]:
            del new[name]
        if not new:
            return
        number, slab = self._slab(layout)
        places = slab.add(rows if len(new) == len(rows) else rows[list(new.values())])
        for name, place in zip(new, places, strict=True):
            self._entries[name] = number << _PLACE_BITS | place
        self._bytes += 4 * layout.width * len(new)

    def rows(self, layout: Layout, places: Sequence[int]) -> Tensor:
        """Copies [M, P] of the rows of models that were found, on this tier's device."""
        return self._slab(layout)[1].gather(places)

    def trim(self) -> None:
        """Let go of what is over the budget; a pass must not be under way."""
        while self._bytes > self._budget:
            _, entry = self._entries.popitem(last=False)
            layout = self._layouts[entry >> _PLACE_BITS]
            self._slab(layout)[1].drop(entry & ((1 << _PLACE_BITS) - 1))
            self._bytes -= 4 * layout.width

    def _slab(self, layout: Layout) -> tuple[int, Slab]:
        found = self._slabs.get(layout)
        if found is None:
            found = self._slabs[layout] = (len(self._layouts), Slab(layout.width, self.device))
            self._layouts.append(layout)
        return found
