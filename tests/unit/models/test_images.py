"""Backgrounds, and what lies beyond an image's edge: background, whatever that is."""

import pytest
import torch
from torch.nn.functional import affine_grid

from models.images import background_of, resampled


@pytest.mark.parametrize(("ink", "paper"), [(1.0, 0.0), (0.0, 1.0), (-2.0, 3.5)])
def test_the_background_is_what_most_is_nearer_to(ink: float, paper: float) -> None:
    images = torch.full((2, 1, 6, 5), paper)
    images[0, :, 2, :] = ink
    assert background_of(images).flatten().tolist() == [paper, paper]


def test_each_channel_has_its_own() -> None:
    images = torch.tensor([0.0, 0.4, 1.0]).view(1, 3, 1, 1).repeat(1, 1, 8, 8)
    images[..., 3, 3] = 0.7
    torch.testing.assert_close(background_of(images).flatten(), torch.tensor([0.0, 0.4, 1.0]))


@pytest.mark.parametrize(("ink", "paper"), [(1.0, 0.0), (0.0, 1.0)])
def test_beyond_the_edge_is_background(ink: float, paper: float) -> None:
    images = torch.full((1, 1, 8, 8), paper)
    images[..., 2:4, 2:4] = ink
    far = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]])  # two pixels up and two to the left
    moved = resampled(images, affine_grid(far, [1, 1, 8, 8], align_corners=False))
    expected = torch.full((1, 1, 8, 8), paper)
    expected[..., 0:2, 0:2] = ink
    torch.testing.assert_close(moved, expected)
