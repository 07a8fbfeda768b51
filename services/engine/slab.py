"""Rows of one width, side by side: thousands of adapted models as a handful of tensors. Knows places, no names.

A place is a number that stays the row's own. Chunks double, so that growing never copies a row, at most half of
what is taken stays empty, and the chunk of a place follows from the place.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_FIRST_BITS = 6  # the first chunk has 64 rows


class Slab:
    """Rows [*, P] float32 on one device. Not safe for several threads."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.width = width
        self._device = device
        self._chunks: list[Tensor] = []
        self._free: list[int] = []
        self._used = 0  # places ever given

    def add(self, rows: Tensor) -> list[int]:
        """Copies of rows [M, P], at places of their own."""
        places = [self._free.pop() if self._free else self._next() for _ in range(len(rows))]
        chunks: dict[int, list[int]] = {}
        for m, place in enumerate(places):
            chunks.setdefault(_chunk_of(place), []).append(m)
        for chunk, members in chunks.items():
            offsets = torch.tensor([places[m] - _first_of(chunk) for m in members], device=self._device)
            own = rows if len(members) == len(rows) else rows[members]
            self._chunks[chunk].index_copy_(0, offsets, own)
        return places

    def drop(self, place: int) -> None:
        """Give a place back."""
        self._free.append(place)

    def gather(self, places: Sequence[int]) -> Tensor:
        """Copies [M, P] of the rows at M places, in their order."""
        chunks = {_chunk_of(place) for place in places}
        if len(chunks) == 1:
            (chunk,) = chunks
            first = _first_of(chunk)
            if self._device.type == "cpu":
                # A few rows are there before an operation of torch's has begun.
                return torch.from_numpy(self._chunks[chunk].numpy()[[place - first for place in places]])
            offsets = torch.tensor([place - first for place in places], device=self._device)
            return self._chunks[chunk].index_select(0, offsets)
        return torch.stack([self._row(place) for place in places])

    def _row(self, place: int) -> Tensor:
        chunk = _chunk_of(place)
        return self._chunks[chunk][place - _first_of(chunk)]

    def _next(self) -> int:
        place = self._used
        if _chunk_of(place) == len(self._chunks):
            rows = 1 << (len(self._chunks) + _FIRST_BITS)
            # On the CPU an untouched row takes no memory yet.
            self._chunks.append(torch.empty(rows, self.width, device=self._device))
        self._used += 1
        return place


def _chunk_of(place: int) -> int:
    return ((place >> _FIRST_BITS) + 1).bit_length() - 1


def _first_of(chunk: int) -> int:
    return ((1 << chunk) - 1) << _FIRST_BITS
