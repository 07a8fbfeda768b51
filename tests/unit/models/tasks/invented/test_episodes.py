"""Episodes of invented characters: as many as asked for, of one alphabet of dots at most."""

from random import Random

import pytest
import torch
from torch import Generator

from models.tasks.invented import episodes
from models.tasks.invented.characters import Alphabet, invent
from models.tasks.invented.episodes import Page, invented

CPU = torch.device("cpu")


def test_so_many_characters_in_the_ink_and_on_the_paper_of_the_others() -> None:
    images = invented(Generator().manual_seed(0), 50, 3, Page(ink=0.1, paper=0.9), (20, 28), CPU)
    assert images.shape == (50, 3, 1, 20, 28)
    assert images.median() == pytest.approx(0.9)
    assert images.min() == pytest.approx(0.1)


def test_there_is_one_alphabet_of_dots_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same dots, set wider, are another character of another one."""
    drawn: list[bool] = []

    def noted(chance: Random, most: int, may_be_dotted: bool) -> Alphabet:
        alphabet = invent(chance, most, may_be_dotted)
        drawn.append(alphabet.dotted)
        return alphabet

    monkeypatch.setattr(episodes, "invent", noted)
    counts = []
    for seed in range(30):
        drawn.clear()
        invented(Generator().manual_seed(seed), 60, 1, Page(1.0, 0.0), (8, 8), CPU)
        counts.append((sum(drawn), len(drawn)))
    assert {dotted for dotted, _ in counts} == {0, 1}
    assert any(alphabets > 1 for dotted, alphabets in counts if dotted)
