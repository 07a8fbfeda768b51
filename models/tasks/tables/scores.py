"""Functions of a table's columns that a target may follow: each draws one a table. Knows no class and no noise.

Each takes standardised columns [M, E, D] and gives scores [M, E, K], of which a regression uses the first.
`choice` decides what is the same for all M.
"""

import math
from collections.abc import Callable
from random import Random

import torch
from torch import Generator, Tensor

from models.tasks.tables.draws import between, chance, log_between, normal, standardised, whole


def linear(generator: Generator, _: Random, columns: Tensor, count: int) -> Tensor:
    """A few columns, or all, each with a weight."""
    tables, width = columns.shape[0], columns.shape[-1]
    weights = normal(generator, tables, width, count) * _relevant(generator, tables, width)
    return columns @ weights


def trees(generator: Generator, choice: Random, columns: Tensor, count: int) -> Tensor:
    """A sum of trees whose every level asks one question of all its rows (oblivious trees)."""
    tables, rows, width = columns.shape
    depth, members = choice.randint(1, 4), choice.randint(1, 6)
    relevant = _relevant(generator, tables, width).squeeze(-1)
    asked = torch.multinomial(relevant, members * depth, replacement=True, generator=generator)
    values = torch.take_along_dim(columns, asked.unsqueeze(1), dim=-1)
    # A threshold is a row's value, so that every question parts the rows.
    at = whole(generator, 0, rows - 1, tables, 1, members * depth)
    answers = (values > torch.take_along_dim(values, at, dim=1)).view(tables, rows, members, depth)
    bits = 2 ** torch.arange(depth, device=columns.device)
    leaf = (answers * bits).sum(-1)  # [M, E, members]
    leaves = normal(generator, tables, members * 2**depth, count)
    leaves = leaves * log_between(generator, 0.3, 1.0, tables, 1, 1)
    place = leaf + torch.arange(members, device=columns.device) * 2**depth
    picked = torch.take_along_dim(leaves, place.flatten(1).unsqueeze(-1), dim=1)
    return picked.view(tables, rows, members, count).sum(2)


def smooth(generator: Generator, _: Random, columns: Tensor, count: int) -> Tensor:
    """A draw from a Gaussian process, by random Fourier features (Rahimi & Recht 2007); each column its length."""
    tables, width = columns.shape[0], columns.shape[-1]
    waves = 64
    reach = log_between(generator, 0.6, 6.0, tables, 1, 1) * math.sqrt(width) ** 0.5
    own = log_between(generator, 0.3, 3.0, tables, width, 1) * _relevant(generator, tables, width)
    frequencies = normal(generator, tables, width, waves) * own / reach
    phases = between(generator, 0.0, 2 * math.pi, tables, 1, waves)
    return torch.cos(columns @ frequencies + phases) @ normal(generator, tables, waves, count)


def network(generator: Generator, _: Random, columns: Tensor, count: int) -> Tensor:
    """A small random network with tanh."""
    tables, width = columns.shape[0], columns.shape[-1]
    hidden = 16
    first = normal(generator, tables, width, hidden) * _relevant(generator, tables, width)
    bend = log_between(generator, 0.3, 3.0, tables, 1, 1)
    inner = torch.tanh(standardised(columns @ first) * bend + normal(generator, tables, 1, hidden))
    second = normal(generator, tables, hidden, count) * chance(generator, 0.5, tables, hidden, count)
    return inner @ (second + 1e-3)


def likeness(generator: Generator, choice: Random, columns: Tensor, count: int) -> Tensor:
    """How near a row is to the nearest of a few rows that stand for each score."""
    tables, rows, width = columns.shape
    each = choice.randint(1, 4)
    relevant = _relevant(generator, tables, width).transpose(-1, -2)
    seen = columns * relevant
    model = whole(generator, 0, rows - 1, tables, count * each, 1)
    models = torch.take_along_dim(seen, model, dim=1)
    models = models + between(generator, 0.0, 1.0, tables, 1, 1) * relevant * normal(generator, *models.shape)
    distances = torch.cdist(seen, models) / relevant.square().sum(-1, keepdim=True).sqrt()
    return -distances.view(tables, rows, count, each).amin(-1)


SCORES: dict[str, Callable[[Generator, Random, Tensor, int], Tensor]] = {
    "linear": linear,
    "trees": trees,
    "smooth": smooth,
    "network": network,
    "likeness": likeness,
}


def _relevant(generator: Generator, tables: int, width: int) -> Tensor:
    """How much each column counts, [M, D, 1]: of some tables all do, of others few."""
    share = between(generator, 0.1, 1.6, tables, 1, 1)
    kept = chance(generator, share, tables, width, 1).float()
    first = (
        torch.arange(width, device=generator.device) == whole(generator, 0, width - 1, tables, 1)
    ).float()
    return torch.maximum(kept, first.unsqueeze(-1)) * log_between(generator, 0.3, 1.5, tables, width, 1)
