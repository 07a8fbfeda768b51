"""Images as numbers: what their background is, and how they look through a grid. Knows no task and no network."""

import torch
from torch import Tensor
from torch.nn import functional


def background_of(images_ECHW: Tensor) -> Tensor:
    """The number [E, C, 1, 1] of each image's background: in every channel the least or the greatest, whichever its
    mean is nearer to."""
    least, most = images_ECHW.amin((2, 3), keepdim=True), images_ECHW.amax((2, 3), keepdim=True)
    return torch.where(images_ECHW.mean((2, 3), keepdim=True) < (least + most) / 2, least, most)


def resampled(images_ECHW: Tensor, grid_EHW2: Tensor) -> Tensor:
    """Images [E, C, H, W] as they are at the places of a grid that is made as `affine_grid`'s are.

    Beyond an edge is background: were that 0, a dark drawing on a bright page would come with a frame.
    """
    background = background_of(images_ECHW)
    return functional.grid_sample(images_ECHW - background, grid_EHW2, align_corners=False) + background
