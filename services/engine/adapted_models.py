"""Adapted models in tiers: the device's memory, the host's, and storage behind both. Knows where each is found.

They are named by the sha256 of their file, so equal adaptations are held once, and one that was read from storage
is known to be what was stored.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import torch
from torch import Tensor

from services.engine.layout import Layout, read_row
from services.engine.loader import ReadMany
from services.engine.tier import Held, Tier
from services.errors import Invalid, NotFound
from services.storage import params
from services.storage.database import Database

CountHit = Callable[[str], None]
"""Takes the name of the tier in which a model was found."""


class AdaptedModels:
    """The adapted models in use. Not safe for several threads."""

    def __init__(
        self, read: Callable[[str], bytes], tiers: Sequence[Tier], count_hit: CountHit = lambda _tier: None
    ) -> None:
        """`read` gives the stored file of a digest, or raises NotFound; of `tiers` the nearest comes first."""
        self._read = read
        self._tiers = tiers
        self._nearest = tiers[0]
        self._count_hit = count_hit

    def __len__(self) -> int:
        return len(self._nearest)

    def __contains__(self, digest: str) -> bool:
        """Whether it is in any tier; from another thread a hint, for it may be leaving."""
        return any(digest in tier for tier in self._tiers)

    def accept(self, digest: str, file: bytes) -> None:
        """Take in a file that was read from storage; one that is damaged is left to be found out by `hold`."""
        if digest in self:
            return
        with suppress(NotFound):
            layout, row = _checked(digest, file)
            self._count_hit("store")
            self.put(layout, [digest], row)

    def hold(self, digest: str) -> Held:
        """The model in the nearest tier, brought there where it is not; it stays until `release`.

        Raises NotFound where storage does not have it whole.
        """
        for tier in self._tiers:
            held = tier.find(digest)
            if held is not None:
                self._count_hit(tier.name)
                return held if tier is self._nearest else self._bring(digest, held, tier)
        layout, row = _checked(digest, self._read(digest))
        self._count_hit("store")
        self.put(layout, [digest], row)
        return self._found(digest)

    def rows(self, layout: Layout, places: Sequence[int]) -> Tensor:
        """Copies [M, P] of the rows of models that are held, on the device."""
        return self._nearest.rows(layout, places)

    def put(self, layout: Layout, digests: Sequence[str], rows: Tensor) -> None:
        """Keep M models, rows [M, P], in every tier."""
        for tier in self._tiers:
            tier.put(layout, digests, rows.to(tier.device))

    def release(self) -> None:
        """A pass is over: what it held may leave."""
        for tier in self._tiers:
            tier.trim()

    def _bring(self, digest: str, held: Held, tier: Tier) -> Held:
        row = tier.rows(held.layout, [held.place])
        self._nearest.put(held.layout, [digest], row.to(self._nearest.device))
        return self._found(digest)

    def _found(self, digest: str) -> Held:
        held = self._nearest.find(digest)
        assert held is not None, "nothing leaves before the pass is over"
        return held


def _checked(digest: str, file: bytes) -> tuple[Layout, Tensor]:
    if hashlib.sha256(file).hexdigest() != digest:
        raise NotFound(f"the adapted parameters {digest} are damaged: they no longer match their name")
    try:
        layout, row = read_row(file)
    except Invalid as error:
        raise NotFound(f"the adapted parameters {digest} cannot be read: {error.detail}") from error
    return layout, torch.from_numpy(row.copy()).unsqueeze(0)


def reader_of(database: Database) -> Callable[[str], bytes]:
    """How an engine reads what the service stored."""

    def read(digest: str) -> bytes:
        with database.read() as session:
            found = params.read(session, [digest])
        if digest not in found:
            raise NotFound(f"no adapted parameters {digest}")
        return found[digest]

    return read


def many_reader_of(database: Database) -> ReadMany:
    """The same for many at once, those that there are."""

    def read(digests: Sequence[str]) -> Mapping[str, bytes]:
        with database.read() as session:
            return params.read(session, digests)

    return read
