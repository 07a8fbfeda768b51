"""Centred drawings: the box around the ink in the middle, wherever it was, whatever ink and paper are."""

import pytest
import torch
from torch import Tensor

from models.networks.centring import centred


def _page(top: int, left: int, ink: float = 1.0, paper: float = 0.0) -> Tensor:
    """An L of 3 x 5 pixels on a page of 11 x 12."""
    page = torch.full((1, 1, 11, 12), paper)
    page[..., top : top + 3, left] = ink
    page[..., top + 2, left : left + 5] = ink
    return page


@pytest.mark.parametrize(("ink", "paper"), [(1.0, 0.0), (0.0, 1.0), (-3.0, 2.5)])
def test_one_drawing_is_one_image_wherever_it_was(ink: float, paper: float) -> None:
    images = torch.cat([_page(top, left, ink, paper) for top, left in ((0, 0), (8, 7), (3, 4), (8, 0))])
    moved = centred(images)
    assert torch.equal(moved, _page(4, 3, ink, paper).expand(4, -1, -1, -1))


def test_faint_marks_are_no_ink() -> None:
    page = _page(0, 0)
    page[..., 10, 11] = 0.2
    moved = centred(page)
    assert torch.equal(moved[..., 4:7, 3:8], _page(4, 3)[..., 4:7, 3:8])
    assert moved[..., 10 + 4 - 11, 11 + 3 - 12] == 0.2


def test_an_empty_page_stays_as_it_is() -> None:
    pages = torch.stack([torch.zeros(1, 5, 6), torch.full((1, 5, 6), 0.7)])
    assert torch.equal(centred(pages), pages)
    assert centred(torch.ones(2, 3, 1, 1)).shape == (2, 3, 1, 1)


def test_colours_go_together() -> None:
    gray = _page(1, 2)
    colours = torch.cat([gray, 0.5 * gray, 0 * gray], 1)
    moved = _page(4, 3)
    assert torch.equal(centred(colours), torch.cat([moved, 0.5 * moved, 0 * moved], 1))


def test_tasks_go_together_and_gradients_come_back() -> None:
    images = torch.cat([_page(0, 0), _page(5, 5), _page(8, 7), _page(2, 1)]).view(2, 2, 1, 11, 12)
    assert torch.equal(torch.vmap(centred)(images), centred(images.flatten(0, 1)).view_as(images))
    images.requires_grad_(True)
    (gradient,) = torch.autograd.grad(centred(images[0])[:, :, 4, 3].sum(), images)
    assert gradient.nonzero().tolist() == [[0, 0, 0, 0, 0], [0, 1, 0, 5, 5]]
