"""From scores to a table's target: classes by thresholds, by the largest score or by cluster; or a number."""

import torch
from torch import Generator, Tensor

from models.tasks.tables.causes import CLUSTERS
from models.tasks.tables.draws import between, chance, log_between, normal, standardised, whole


def class_counts(generator: Generator, tables: int, most: int) -> Tensor:
    """Int64 [M, 1] from 2 to `most`, few more often than many."""
    many = whole(generator, 2, most, tables, 1)
    few = whole(generator, 2, 3, tables, 1).clamp(max=most)
    return few.where(chance(generator, 0.45, tables, 1), many)


def by_largest(generator: Generator, scores: Tensor, counts: Tensor) -> Tensor:
    """The class of the largest score [M, E, N]; some tables noisy, some with rare classes."""
    tables, rows, most = scores.shape
    scores = standardised(scores)
    rare = between(generator, 0.0, 1.5, tables, 1, 1) * chance(generator, 0.5, tables, 1, 1)
    scores = scores + rare * normal(generator, tables, 1, most)
    noise = log_between(generator, 0.03, 0.4, tables, 1, 1) * chance(generator, 0.4, tables, 1, 1)
    gumbel = -torch.log(-torch.log(between(generator, 1e-6, 1 - 1e-6, tables, rows, most)))
    slots = torch.arange(most, device=scores.device)
    scores = (scores + noise * gumbel).masked_fill(slots >= counts.unsqueeze(-1), float("-inf"))
    return scores.argmax(-1)


def by_threshold(generator: Generator, scores: Tensor, counts: Tensor) -> Tensor:
    """The first score [M, E, N] cut into as many stretches as there are classes."""
    tables, rows, most = scores.shape
    values = standardised(scores[..., :1])
    noise = log_between(generator, 0.03, 0.6, tables, 1, 1) * chance(generator, 0.5, tables, 1, 1)
    values = values + noise * normal(generator, tables, rows, 1)
    place = values.squeeze(-1).argsort(-1).argsort(-1) / rows
    widths = between(generator, 0.15, 1.0, tables, most)
    widths = widths * (torch.arange(most, device=scores.device) < counts)
    cuts = (widths.cumsum(-1) / widths.sum(-1, keepdim=True))[:, :-1]
    return (place.unsqueeze(-1) >= cuts.unsqueeze(1)).sum(-1).minimum(counts - 1)


def by_cluster(generator: Generator, clusters: Tensor, counts: Tensor) -> Tensor:
    """A class for every cluster [M, E]; a few rows are of another."""
    tables, rows = clusters.shape
    classes = whole(generator, 0, CLUSTERS * 64, tables, CLUSTERS) % counts
    # The first clusters are a class each, so that no class goes without while there are clusters for it.
    first = torch.arange(CLUSTERS, device=clusters.device).expand(tables, -1)
    classes = first.where(first < counts, classes)
    own = torch.take_along_dim(classes, clusters, dim=1)
    wrong = between(generator, 0.0, 0.2, tables, 1) * chance(generator, 0.25, tables, 1)
    other = whole(generator, 0, 10_000, tables, rows) % counts
    return other.where(chance(generator, wrong, tables, rows), own)


def in_order(generator: Generator, classes: Tensor, present: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Classes [M, E] renumbered at random, those that are `present` [M, S] among the first
    rows first; and how many those are, [M, 1].
    """
    tables = len(classes)
    slots = torch.arange(most, device=classes.device)
    labelled = classes[:, : present.shape[1]]
    seen = ((labelled.unsqueeze(-1) == slots) & present.unsqueeze(-1)).any(1)
    keys = torch.rand(tables, most, generator=generator, device=generator.device) + (~seen).float() * 2
    place = keys.argsort(-1).argsort(-1)
    return torch.take_along_dim(place, classes, dim=1), seen.sum(-1, keepdim=True)


def number(generator: Generator, scores: Tensor) -> Tensor:
    """The first score [M, E, K] as a number [M, E, 1]: with noise, some skewed, some in units of their own."""
    tables, rows, _ = scores.shape
    values = standardised(scores[..., :1])
    noise = log_between(generator, 0.01, 1.0, tables, 1, 1) * chance(generator, 0.85, tables, 1, 1)
    heavy = torch.exp(0.8 * normal(generator, tables, rows, 1)).where(
        chance(generator, 0.2, tables, 1, 1), torch.ones(1, 1, 1, device=scores.device)
    )
    values = values + noise * heavy * normal(generator, tables, rows, 1)
    skew = between(generator, 0.3, 1.3, tables, 1, 1)
    skewed = torch.exp((values * skew).clamp(max=5.0))
    values = skewed.where(chance(generator, 0.25, tables, 1, 1), values)
    scale = log_between(generator, 1e-2, 1e3, tables, 1, 1)
    return (standardised(values) + normal(generator, tables, 1, 1) * 2) * scale
