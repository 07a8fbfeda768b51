"""Where a table's values come from: causes, and what follows from them in a random graph. Knows no target.

Shapes: M tables, E rows, Z causes, D columns, K nodes.
"""

from random import Random
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from models.tasks.tables.draws import between, chance, log_between, normal, standardised, whole

CLUSTERS = 16


class Causes(NamedTuple):
    """What nothing else in the table explains."""

    values: Tensor  # float32 [M, E, Z]
    clusters: Tensor  # int64 [M, E], a number below CLUSTERS: the heap that a row comes from, if any


def draw_causes(generator: Generator, tables: int, rows: int, count: int) -> Causes:
    """Normal, uniform, heavy-tailed or in clusters, a table each."""
    shape = (tables, rows, count)
    bell = normal(generator, *shape)
    flat = between(generator, -1.7, 1.7, *shape)
    heavy = bell * torch.exp(0.7 * normal(generator, *shape))
    clusters = _clusters(generator, whole(generator, 2, CLUSTERS, tables, 1), rows)
    centres = normal(generator, tables, CLUSTERS, count)
    width = log_between(generator, 0.1, 1.0, tables, 1, 1) * log_between(
        generator, 0.5, 2.0, tables, 1, count
    )
    heaps = torch.take_along_dim(centres, clusters.unsqueeze(-1), dim=1) + width * bell
    kind = whole(generator, 0, 5, tables, 1, 1)
    values = bell.where(kind > 0, flat)
    values = values.where(kind != 1, heavy)
    return Causes(heaps.where(kind >= 4, values), clusters)


def _clusters(generator: Generator, used: Tensor, rows: int) -> Tensor:
    """A cluster for each row, int64 [M, E]: of each table the first `used` [M, 1], some popular and some not."""
    popular = between(generator, 0.1, 1.0, len(used), CLUSTERS)
    popular = popular * (torch.arange(CLUSTERS, device=used.device) < used)
    return torch.multinomial(popular, rows, replacement=True, generator=generator)


def draw_heaps(generator: Generator, tables: int, rows: int, count: int, ways: Tensor) -> Causes:
    """Always in clusters, in half of the tables as many as there are classes, `ways` [M, 1]."""
    centres = normal(generator, tables, CLUSTERS, count)
    used = ways.where(chance(generator, 0.5, tables, 1), whole(generator, 2, CLUSTERS, tables, 1))
    clusters = _clusters(generator, used, rows)
    width = log_between(generator, 0.1, 1.2, tables, 1, 1)
    width = width * log_between(generator, 0.5, 2.0, tables, CLUSTERS, 1)
    width = torch.take_along_dim(width, clusters.unsqueeze(-1), dim=1)
    informative = chance(generator, between(generator, 0.3, 1.0, tables, 1, 1), tables, 1, count).float()
    middles = torch.take_along_dim(centres, clusters.unsqueeze(-1), dim=1) * informative
    values = middles + width * normal(generator, tables, rows, count)
    return Causes(values, clusters)


def grow(
    generator: Generator, choice: Random, causes: Tensor, used: Tensor, layers: int, hidden: int
) -> Tensor:
    """Nodes [M, E, layers x hidden] that follow from causes [M, E, Z], of which `used` [M, 1, Z] have a say.

    A random network with weights, sparsity and noise of its own for each table, and a few kinds of activation for
    each layer (the structural causal models of Hollmann et al. 2023).
    """
    tables, rows, _ = causes.shape
    dense = between(generator, 0.15, 1.0, tables, 1, 1)
    noise = log_between(generator, 0.003, 0.3, tables, 1, 1)
    noise = noise * chance(generator, 0.6, tables, 1, 1)
    bend = log_between(generator, 0.3, 2.0, tables, 1, 1)
    below, nodes = causes * used, []
    for _ in range(layers):
        weights = normal(generator, tables, below.shape[-1], hidden)
        weights = weights * chance(generator, dense, *weights.shape)
        # One parent at least: the first of a random order.
        weights = weights + _one_parent(generator, *weights.shape)
        linear = standardised(below @ weights)
        shift = normal(generator, tables, 1, hidden) * 0.7
        bent = _bend(choice, linear * bend + shift)
        below = standardised(bent) + noise * normal(generator, tables, rows, hidden)
        nodes.append(below)
    return torch.cat(nodes, dim=-1)


def _one_parent(generator: Generator, tables: int, below: int, hidden: int) -> Tensor:
    parent = whole(generator, 0, below - 1, tables, 1, hidden)
    sign = normal(generator, tables, 1, hidden)
    return (torch.arange(below, device=parent.device).unsqueeze(-1) == parent) * sign


_ACTIVATIONS = (
    lambda x: x,
    lambda x: x,
    torch.tanh,
    torch.tanh,
    torch.relu,
    torch.abs,
    lambda x: torch.sin(2 * x),
    lambda x: torch.exp(-x.square()),
    lambda x: x.square(),
    lambda x: (x > 0).to(x.dtype),
    lambda x: x.clamp(min=-3, max=3).exp(),
    lambda x: torch.nn.functional.leaky_relu(x, 0.1),
)
_PARTS = 3


def _bend(choice: Random, values: Tensor) -> Tensor:
    parts = values.chunk(_PARTS, dim=-1)
    return torch.cat([choice.choice(_ACTIVATIONS)(part) for part in parts], dim=-1)
