"""Drawings moved to the middle of their page. Knows pixels; nothing of networks."""

import torch
from torch import Tensor

_INK = 0.3  # of the way from the paper to what is farthest from it


def centred(images_ECHW: Tensor) -> Tensor:
    """Each image moved by whole pixels, until the box around its ink is in the middle.

    Paper is the brightest or the darkest, whichever most of the page is nearer to. What leaves on one side comes in
    on the other. An image of nothing but paper stays as it is.
    """
    down_EH, along_EW = (_places(ink_EL) for ink_EL in _ink(images_ECHW.mean(1)))
    images_ECHW = images_ECHW.gather(2, down_EH[:, None, :, None].expand_as(images_ECHW))
    return images_ECHW.gather(3, along_EW[:, None, None, :].expand_as(images_ECHW))


def _ink(gray_EHW: Tensor) -> tuple[Tensor, Tensor]:
    """Whether there is any in each row [E, H], and in each column [E, W]: 1 or 0."""
    least_E11, most_E11 = gray_EHW.amin((1, 2), keepdim=True), gray_EHW.amax((1, 2), keepdim=True)
    is_dark_E11 = gray_EHW.mean((1, 2), keepdim=True) < (least_E11 + most_E11) / 2
    paper_E11 = torch.where(is_dark_E11, least_E11, most_E11)
    ink_EHW = ((gray_EHW - paper_E11).abs() > _INK * (most_E11 - least_E11)).to(torch.uint8)
    return ink_EHW.amax(2), ink_EHW.amax(1)


def _places(ink_EL: Tensor) -> Tensor:
    """Which line each of the L lines is taken from [E, L], for those with ink to be in the middle."""
    lines = ink_EL.shape[-1]
    first_E, behind_E = ink_EL.argmax(-1), ink_EL.flip(-1).argmax(-1)
    ahead_E = torch.div(behind_E - first_E, 2, rounding_mode="floor")
    return (torch.arange(lines, device=ink_EL.device) - ahead_E.unsqueeze(-1)) % lines
