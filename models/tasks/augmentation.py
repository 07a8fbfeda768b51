"""Random warps of images: what a hand or a camera varies and a label does not. Knows tensors; no dataset.

Every number is drawn on the CPU, from the run's generator, and used where the images are: episodes do not depend
on the device but for rounding.
"""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.functional import on_device
from models.images import resampled
from models.spec import AugmentSpec

# Knots of the elastic displacement's grid in each direction; between them it is smooth.
KNOTS = 4


class Warp(NamedTuple):
    """One affine map of coordinates for each of B images, with a smooth displacement and a change of the stroke."""

    matrix: Tensor  # float32 [B, 2, 3], as `affine_grid` takes it
    displacement: Tensor | None  # float32 [B, 2, KNOTS, KNOTS], in units of half the image's side
    stroke: Tensor | None  # float32 [B] in -1..1: below 0 thinner, above it thicker


def draw(spec: AugmentSpec, generator: Generator, shape: tuple[int, ...]) -> Warp:
    """A warp for each of `shape` images, B = prod(shape), uniform within the spec's bounds."""
    count = math.prod(shape)

    def uniform(bound: float) -> Tensor:
        return bound * (2 * torch.rand(count, generator=generator) - 1)

    turn = torch.deg2rad(uniform(spec.rotate))
    stretch_x, stretch_y = (torch.exp(uniform(math.log1p(spec.scale))) for _ in range(2))
    shear, shift_x, shift_y = uniform(spec.shear), uniform(2 * spec.shift), uniform(2 * spec.shift)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0) if spec.flip else 1.0
    cos, sin = turn.cos(), turn.sin()
    # Turn after shear after stretch.
    rows = (
        (mirror * cos * stretch_x, (cos * shear - sin) * stretch_y, shift_x),
        (mirror * sin * stretch_x, (sin * shear + cos) * stretch_y, shift_y),
    )
    matrix = torch.stack([torch.stack(row, -1) for row in rows], -2)
    knots = (count, 2, KNOTS, KNOTS)
    displacement = 2 * spec.elastic * torch.randn(knots, generator=generator) if spec.elastic else None
    return Warp(matrix, displacement, uniform(spec.stroke) if spec.stroke else None)


def compose(shared: Warp, own: Warp) -> Warp:
    """M warps, each before B / M of `own`, in order: the images of one task are seen through one more glass."""

    def each(values: Tensor) -> Tensor:
        return values.repeat_interleave(len(own.matrix) // len(shared.matrix), 0)

    def both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
        if first is None or second is None:
            return second if first is None else each(first)
        return each(first) + second

    last_row = torch.tensor([0.0, 0.0, 1.0]).expand(len(own.matrix), 1, 3)
    # Grids map where a pixel goes to where it comes from, so what is applied first stands on the left.
    matrix = each(shared.matrix) @ torch.cat([own.matrix, last_row], dim=1)
    return Warp(matrix, both(shared.displacement, own.displacement), both(shared.stroke, own.stroke))


def apply(warp: Warp, images: Tensor) -> Tensor:
    """Float images [B, C, H, W] warped, on their device; what comes from beyond an edge is background."""
    device = images.device
    grid = functional.affine_grid(on_device(warp.matrix, device), list(images.shape), align_corners=False)
    if warp.displacement is not None:
        size = (images.shape[-2], images.shape[-1])
        field = functional.interpolate(
            on_device(warp.displacement, device), size, mode="bicubic", align_corners=True
        )
        grid = grid + field.permute(0, 2, 3, 1)
    warped = resampled(images, grid)
    return warped if warp.stroke is None else _with_stroke(warped, on_device(warp.stroke, device))


def _with_stroke(images: Tensor, stroke: Tensor) -> Tensor:
    """Towards each pixel's brightest neighbour where `stroke` [B] is above 0, towards its darkest below."""
    amount = stroke[:, None, None, None]
    thicker = functional.max_pool2d(images, 3, stride=1, padding=1)
    thinner = -functional.max_pool2d(-images, 3, stride=1, padding=1)
    return torch.lerp(images, torch.where(amount > 0, thicker, thinner), amount.abs().clamp(max=1.0))
