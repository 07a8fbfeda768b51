"""Drawings of invented characters, each by another hand. Knows control points and pixels; nothing of episodes."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from models.functional import on_device
from models.tasks.family import uniform
from models.tasks.invented.characters import Alphabet

# Distances of points to pixels that are held at a time.
_AT_ONCE = 1 << 24
# How far a hand strays, of half an image's side: a whole stroke, and each of its control points.
_UNSTEADY = 0.05
# How far hands differ in a character's size and in its proportions: the deviations of their logarithms, as between
# the drawings of one character of Omniglot.
_SIZE, _PROPORTION = 0.12, 0.08


class _Pen(NamedTuple):
    """The radii of its point, in pixels of an image of 28."""

    finest: float
    broadest: float


_PEN, _DOTTING_PEN = _Pen(0.15, 0.7), _Pen(0.1, 1.5)
_SCRIBBLE = 0.5  # of the pen's radius, that a dot's own points lie apart
_DOT_POINTS = 6


def drawn(
    alphabet: Alphabet, generator: Generator, each: int, size: tuple[int, int], device: torch.device
) -> Tensor:
    """Images float32 [N, E, H, W] of each character, on the device: 1 for ink, 0 for paper.

    Every one strays from its character by other amounts, with a pen of another breadth.
    """
    characters, strokes = alphabet.mask.shape
    pen = _DOTTING_PEN if alphabet.dotted else _PEN
    part = torch.rand(characters * each, 1, 1, generator=generator)
    radius_B11 = pen.finest * (pen.broadest / pen.finest) ** part
    # A dot is what a pen leaves that is held to a place: the broader, the less round. 14: half of those pixels.
    unsteady = _SCRIBBLE * (radius_B11.unsqueeze(-1) / 14) if alphabet.dotted else _UNSTEADY
    curves = _written(alphabet.strokes.repeat_interleave(each, 0), unsteady, generator)
    points = (_bernstein(_DOT_POINTS if alphabet.dotted else max(size)) @ curves).flatten(1, 2)
    # What is not there lies far off every page.
    there = alphabet.mask.repeat_interleave(each, 0).repeat_interleave(points.shape[1] // strokes, 1)
    points = points + 1e3 * (1 - there.unsqueeze(-1))
    ink = _ink(on_device(points, device), on_device(radius_B11, device) * min(size) / 28, size)
    return ink.view(characters, each, *size)


def _written(curves_BS42: Tensor, unsteady: Tensor | float, generator: Generator) -> Tensor:
    """The same control points, by B hands: of each its own size, its strokes astray, and their shapes unsteady."""
    images, strokes = curves_BS42.shape[:2]
    sizes_B, proportions_B = torch.randn(2, images, generator=generator)
    sizes_B, proportions_B = _SIZE * sizes_B, _PROPORTION * proportions_B
    scales_B2 = torch.stack([sizes_B + proportions_B, sizes_B - proportions_B], -1).exp()
    astray_BS12 = _UNSTEADY * torch.randn(images, strokes, 1, 2, generator=generator)
    shapes_BS42 = unsteady * torch.randn(images, strokes, 4, 2, generator=generator)
    hand_B111 = uniform(generator, 0.4, 1.6, images, 1, 1, 1)
    return curves_BS42 * scales_B2[:, None, None] + hand_B111 * (astray_BS12 + shapes_BS42)


def _bernstein(points: int) -> Tensor:
    """Weights [points, 4] of a cubic Bezier curve's control points along it."""
    along = torch.linspace(0, 1, points)
    back = 1 - along
    return torch.stack([back**3, 3 * along * back**2, 3 * along**2 * back, along**3], -1)


def _ink(points_BP2: Tensor, radius_B11: Tensor, size: tuple[int, int]) -> Tensor:
    """How much of each pixel [B, H, W] lies within a radius of a point: by its distance, over a pixel's width."""
    height, width = size
    down_H = torch.arange(height, device=points_BP2.device) + 0.5
    along_W = torch.arange(width, device=points_BP2.device) + 0.5
    across_BPW = ((points_BP2[..., :1] + 1) * (width / 2) - along_W).square()
    upright_BPH = ((points_BP2[..., 1:] + 1) * (height / 2) - down_H).square()
    # All points at once would take hundreds of times the images' own memory, where these are large.
    points = max(1, _AT_ONCE // (len(points_BP2) * height * width))
    nearest_BHW = torch.full((len(points_BP2), height, width), torch.inf, device=points_BP2.device)
    for across, upright in zip(
        torch.split(across_BPW, points, 1), torch.split(upright_BPH, points, 1), strict=True
    ):
        nearest_BHW = torch.minimum(nearest_BHW, (upright.unsqueeze(-1) + across.unsqueeze(-2)).amin(1))
    return (1.1 - (nearest_BHW.sqrt() - radius_B11)).clamp(0, 1)
