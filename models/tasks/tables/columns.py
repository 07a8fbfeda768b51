"""How a table's columns come to look: skewed, rounded, in units of their own, with gaps. Knows no target."""

import math

import torch
from torch import Generator, Tensor

from models.tasks.tables.draws import between, chance, log_between, normal, standardised, whole

_LEVELS = 12


def dress(generator: Generator, values: Tensor) -> Tensor:
    """Standardised columns [M, E, D], each perhaps bent or rounded; about half stay as they are."""
    tables, _, width = values.shape
    shape = (tables, 1, width)
    plain = between(generator, 0.0, 1.2, tables, 1, 1)
    kind = whole(generator, 0, 6, *shape).masked_fill(chance(generator, plain, *shape), -1)
    strength = between(generator, 0.3, 1.5, *shape)
    share = torch.special.ndtr(values)  # 0..1
    levels = whole(generator, 2, _LEVELS, *shape)
    level = (share * levels).floor().clamp(max=_LEVELS - 1).long()
    names = normal(generator, tables, _LEVELS, width)
    bent = (
        torch.exp((values * strength).clamp(max=6.0)),
        values.sign() * values.abs() ** (2 * strength),
        level.float(),
        torch.take_along_dim(names, level, dim=1),
        share,
        torch.relu(values - between(generator, -0.5, 1.0, *shape)),
        (share > between(generator, 0.1, 0.9, *shape)).float(),
    )
    for number, one in enumerate(bent):
        values = one.where(kind == number, values)
    return standardised(values)


def add_noise_columns(generator: Generator, values: Tensor) -> Tensor:
    """Some columns of some tables made independent of everything."""
    tables, _, width = values.shape
    share = between(generator, 0.0, 0.6, tables, 1, 1) * chance(generator, 0.35, tables, 1, 1)
    noise = normal(generator, *values.shape)
    return noise.where(chance(generator, share, tables, 1, width), values)


def in_units(generator: Generator, values: Tensor) -> Tensor:
    """Every column on a scale and from a zero of its own."""
    tables, _, width = values.shape
    scale = log_between(generator, 1e-3, 1e4, tables, 1, width)
    sign = torch.where(chance(generator, 0.5, tables, 1, width), 1.0, -1.0)
    return (values * sign + normal(generator, tables, 1, width) * 2) * scale


def with_gaps(generator: Generator, values: Tensor) -> Tensor:
    """NaN here and there in some tables."""
    tables, rows, width = values.shape
    share = between(generator, 0.0, 0.4, tables, 1, 1) * chance(generator, 0.12, tables, 1, 1)
    share = share * chance(generator, 0.5, tables, 1, width)
    return values.masked_fill(chance(generator, share, tables, rows, width), math.nan)
