"""Drawings moved to the middle of their page. Knows pixels; nothing of networks."""

import torch
from torch import Tensor

from models.images import background_of

_INK = 0.3  # of the way from the background to what is farthest from it


def centred(images_ECHW: Tensor) -> Tensor:
    """Each image moved by whole pixels, until the box around its ink is in the middle.

    What leaves on one side comes in on the other. An image of nothing but background stays as it is.
    """
    apart_EHW = (images_ECHW - background_of(images_ECHW)).abs().mean(1)
    ink_EHW = (apart_EHW > _INK * apart_EHW.amax((1, 2), keepdim=True)).to(torch.uint8)
    down_EH, along_EW = _places(ink_EHW.amax(2)), _places(ink_EHW.amax(1))
    images_ECHW = images_ECHW.gather(2, down_EH[:, None, :, None].expand_as(images_ECHW))
    return images_ECHW.gather(3, along_EW[:, None, None, :].expand_as(images_ECHW))


def _places(ink_EL: Tensor) -> Tensor:
    """Which line each of the L lines is taken from [E, L], for those with ink to be in the middle."""
    lines = ink_EL.shape[-1]
    first_E, behind_E = ink_EL.argmax(-1), ink_EL.flip(-1).argmax(-1)
    ahead_E = torch.div(behind_E - first_E, 2, rounding_mode="floor")
    return (torch.arange(lines, device=ink_EL.device) - ahead_E.unsqueeze(-1)) % lines
