"""Tiers: found in the nearest, brought nearer where it is further off, read from storage where it is nowhere."""

import hashlib

import pytest
import torch

from services.engine.adapted_models import AdaptedModels
from services.engine.layout import layout_of
from services.engine.tier import Tier
from services.errors import NotFound

CPU = torch.device("cpu")
LAYOUT = layout_of((("a", (4,)),))
FILES = {
    hashlib.sha256(file).hexdigest(): file
    for file in (LAYOUT.file_of(torch.full((4,), float(value)).numpy()) for value in range(6))
}
DIGESTS = list(FILES)


class House:
    def __init__(self, near: int, far: int) -> None:
        """A nearer tier of `near` models and a further one of `far`."""
        self.hits: list[str] = []
        self.files = dict(FILES)
        tiers = [Tier("device", CPU, 16 * near), Tier("host", CPU, 16 * far)]
        self.models = AdaptedModels(self._read, tiers, self.hits.append)

    def _read(self, digest: str) -> bytes:
        try:
            return self.files[digest]
        except KeyError:
            raise NotFound(digest) from None

    def ask(self, *numbers: int) -> list[float]:
        held = [self.models.hold(DIGESTS[number]) for number in numbers]
        values = self.models.rows(LAYOUT, [one.place for one in held])[:, 0].tolist()
        self.models.release()
        return values


def test_each_is_found_where_it_is() -> None:
    house = House(near=2, far=4)
    assert house.ask(0) == [0]
    assert house.ask(0) == [0]
    assert house.ask(1, 2) == [1, 2]  # 0 has left the nearer
    assert house.ask(0) == [0]
    assert house.ask(3, 4, 5) == [3, 4, 5]
    assert house.ask(1) == [1]  # and by now has left both
    assert house.hits == ["store", "device", "store", "store", "host", "store", "store", "store", "store"]


def test_a_pass_of_more_than_fits_is_answered() -> None:
    house = House(near=1, far=1)
    assert house.ask(0, 1, 2, 3, 4, 5) == [0, 1, 2, 3, 4, 5]
    assert len(house.models) == 1


def test_what_was_put_is_not_read() -> None:
    house = House(near=4, far=4)
    house.models.put(LAYOUT, DIGESTS[:2], torch.tensor([[0.0] * 4, [1.0] * 4]))
    house.files.clear()
    assert house.ask(1, 0) == [1, 0]
    with pytest.raises(NotFound):
        house.ask(2)


@pytest.mark.parametrize("damage", [lambda file: file[:-1] + b"\x01", lambda _file: b"no file at all"])
def test_damaged_files_are_never_served(damage) -> None:  # type: ignore[no-untyped-def]
    house = House(near=4, far=4)
    house.files[DIGESTS[0]] = damage(FILES[DIGESTS[0]])
    with pytest.raises(NotFound, match="damaged"):
        house.ask(0)
