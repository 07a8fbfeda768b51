"""Images for episodes whose classes are invented. Knows characters and drawings; nothing of datasets."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from models.tasks.invented.characters import invent
from models.tasks.invented.drawing import drawn
from models.tasks.tables.draws import chooser


class Page(NamedTuple):
    """What an image's ink and paper are, each a number."""

    ink: float
    paper: float

    @classmethod
    def of(cls, images: Tensor) -> "Page":
        """Paper is what most of the images' pixels are, ink what is farthest from it."""
        paper, least, most = images.median().item(), images.min().item(), images.max().item()
        return cls(most if most - paper >= paper - least else least, paper)


def invented(
    generator: Generator, ways: int, each: int, page: Page, size: tuple[int, int], device: torch.device
) -> Tensor:
    """Images float32 [N, E, 1, H, W] of `ways` characters, `each` of every one, on the device.

    Of one alphabet, and of others where one has fewer.
    """
    chance, parts, wanted = chooser(generator), [], ways
    may_be_dotted = True
    while wanted:
        alphabet = invent(chance, min(wanted, chance.randint(16, 40)), may_be_dotted)
        # The same dots, set wider, may be another character of a second alphabet of dots.
        may_be_dotted &= not alphabet.dotted
        parts.append(drawn(alphabet, generator, each, size, device))
        wanted -= len(parts[-1])
    return (page.paper + (page.ink - page.paper) * torch.cat(parts)).unsqueeze(2)
