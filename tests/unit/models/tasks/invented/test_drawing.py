"""Drawings of invented characters: ink where the strokes go, by unsteady hands with pens of several breadths."""

import pytest
import torch
from torch import Tensor

from models.tasks.invented import drawing
from models.tasks.invented.characters import Alphabet
from models.tasks.invented.drawing import drawn

CPU = torch.device("cpu")


def _drawn(
    strokes: list[Tensor], *, dotted: bool, each: int = 40, size: tuple[int, int] = (28, 28)
) -> Tensor:
    """Of an alphabet whose first character has all strokes and whose second only the first."""
    mask = torch.tensor([[1.0] * len(strokes), [1.0] + [0.0] * (len(strokes) - 1)])
    alphabet = Alphabet(torch.stack(strokes).expand(2, -1, -1, -1), mask, dotted)
    return drawn(alphabet, torch.Generator().manual_seed(0), each, size, CPU)


def _line(x0: float, y0: float, x1: float, y1: float) -> Tensor:
    start, end = torch.tensor([x0, y0]), torch.tensor([x1, y1])
    return torch.stack([start + part * (end - start) for part in (0, 1 / 3, 2 / 3, 1)])


def _centre(images: Tensor) -> Tensor:
    """The mean place (x, y) of the ink, in -1..1."""
    height, width = images.shape[-2:]
    ink = images.flatten(0, -3).sum(0)
    x = (torch.arange(width) + 0.5) / (width / 2) - 1
    y = (torch.arange(height) + 0.5) / (height / 2) - 1
    return torch.stack([(ink.sum(0) * x).sum(), (ink.sum(1) * y).sum()]) / ink.sum()


def _reach(ink: Tensor) -> Tensor:
    """How far apart the ink's two ends are, of a line's length."""
    place = (torch.arange(len(ink)) + 0.5) / len(ink)
    half = len(ink) // 2
    ends = [(ink[part] * place[part]).sum() / ink[part].sum() for part in (slice(half), slice(half, None))]
    return ends[1] - ends[0]


def test_ink_is_where_the_strokes_are() -> None:
    both, first = _drawn([_line(-0.5, -0.5, -0.5, 0.5), _line(0.5, -0.5, 0.5, 0.5)], dotted=False)
    assert _centre(first)[0] < -0.4
    assert abs(_centre(both)[0]) < 0.1
    assert both.sum() > 1.7 * first.sum()
    assert (first[:, 13, :].amax(-1) > 0.2).all(), "a stroke is not interrupted"
    assert (first[:, :, 14:] == 0).all()


def test_a_dot_is_a_dot_on_any_page() -> None:
    images = _drawn([_line(0.4, -0.6, 0.4, -0.6)], dotted=True, size=(40, 20))[0]
    torch.testing.assert_close(_centre(images), torch.tensor([0.4, -0.6]), atol=0.05, rtol=0)
    reach = (images > 0).float().sum((-2, -1))
    assert reach.min() >= 1
    assert reach.max() < 40


def test_no_two_drawings_are_the_same() -> None:
    images = _drawn([_line(-0.5, 0, 0.5, 0)], dotted=False)[0].flatten(1)
    assert len(torch.unique(images, dim=0)) == len(images)
    assert images.sum(1).max() > 1.5 * images.sum(1).min(), "pens differ"
    assert float(images.min()) == 0.0
    assert float(images.max()) == 1.0


@pytest.mark.parametrize("dotted", [False, True])
def test_hands_differ_in_size_by_what_they_do_in_omniglot(dotted: bool) -> None:
    ends = [_line(-0.5, -0.5, -0.5, -0.5), _line(0.5, 0.5, 0.5, 0.5)]
    images = _drawn(ends, dotted=dotted, each=400)[0]
    widths, heights = (torch.stack([_reach(image.sum(axis)) for image in images]).log() for axis in (0, 1))
    size, proportion = (widths + heights) / 2, (widths - heights) / 2
    assert 0.1 < size.std() < 0.2
    assert 0.06 < proportion.std() < 0.15


def test_however_few_points_fit_into_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    strokes = [_line(-0.5, -0.5, -0.5, 0.5), _line(0.5, -0.5, 0.5, 0.5)]
    whole = _drawn(strokes, dotted=False, each=3)
    for numbers in (1, 6 * 28 * 28 * 5):
        monkeypatch.setattr(drawing, "_AT_ONCE", numbers)
        assert torch.equal(_drawn(strokes, dotted=False, each=3), whole)
