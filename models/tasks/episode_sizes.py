"""How many classes an episode has, and how many examples of each. Pure draws; knows no row.

The rules are Meta-Dataset's (Triantafillou et al. 2020, section 3.2), its bounds of 100 examples a class and 500
an episode replaced by the caller's own.
"""

import math

import torch
from torch import Generator, Tensor


def draw_ways(generator: Generator, low: int, available: Tensor, high: int) -> Tensor:
    """Int64 [M]: uniform from `low` to `high`, or to the classes `available` [M] where these are fewer."""
    most_M = available.clamp(max=high)
    return low + (torch.rand(len(available), generator=generator) * (most_M - low + 1)).long()


def draw_shots(
    generator: Generator, counts: Tensor, ways: Tensor, n_query: int, low: int, high: int
) -> Tensor:
    """Int64 [M, N]: support examples of classes with `counts` [M, N] examples, 0 behind an episode's `ways` [M].

    How many an episode has in all goes by a share of its own, from few to all that may be; how they fall to its
    classes, by the classes' sizes, each halved to doubled at random: so shots are imbalanced, as they are found.
    Every class keeps `n_query` examples for the query, and has `low` to `high` here.
    """
    real_MN = torch.arange(counts.shape[1]) < ways.unsqueeze(-1)
    left_MN = torch.where(real_MN, counts - n_query, 0)
    share_M1 = 1 - torch.rand(len(counts), 1, generator=generator)
    total_M1 = torch.ceil(share_M1 * left_MN.clamp(max=high)).sum(-1, keepdim=True)
    tilt_MN = math.log(0.5) + 2 * math.log(2) * torch.rand(counts.shape, generator=generator)
    weight_MN = torch.exp(tilt_MN) * counts * real_MN
    part_MN = weight_MN / weight_MN.sum(-1, keepdim=True)
    drawn_MN = torch.floor(part_MN * (total_M1 - ways.unsqueeze(-1)).clamp(min=0)).long() + 1
    return torch.minimum(drawn_MN.clamp(low, high), left_MN) * real_MN
