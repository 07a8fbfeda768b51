"""The prior over whole tables: columns and a target, drawn in groups of one kind. Knows no support and no query."""

from random import Random

import torch
from torch import Generator, Tensor

from models.tasks.tables.causes import draw_causes, draw_heaps, grow
from models.tasks.tables.columns import add_noise_columns, dress, in_units, with_gaps
from models.tasks.tables.draws import chance, log_between, standardised
from models.tasks.tables.scores import SCORES
from models.tasks.tables.targets import by_cluster, by_largest, by_threshold, class_counts, number

# Tables that share what code branches by: width, depth, activations, which function. Their weights are their own.
GROUP = 16

# What a target follows from, and how often: nodes of the graph that the columns are of, the cluster that a row
# comes from (classes alone), or a function of the columns.
_KINDS = {
    "nodes": 4.0,
    "clusters": 4.0,
    "linear": 1.5,
    "trees": 1.0,
    "smooth": 1.5,
    "network": 1.0,
    "likeness": 1.0,
}


def draw_tables(
    generator: Generator,
    choice: Random,
    tables: int,
    rows: int,
    columns: int,
    classes: int | None,
    *,
    group: int = GROUP,
    narrower: bool = False,
) -> tuple[Tensor, Tensor]:
    """Columns float32 [M, E, D], NaN for gaps; and classes int64 [M, E], or without `classes` numbers [M, E, 1].

    On the generator's device; rows and tables are exchangeable. With `narrower` each group has a width of its own,
    from 2 to D, and zeros behind. `group` is how many tables share a kind.
    """
    drawn = []
    for first in range(0, tables, group):
        size = min(group, tables - first)
        width = int(columns ** choice.uniform(1 / max(columns, 2), 1.0) + 0.5) if narrower else columns
        values, targets = _group(generator, choice, size, rows, max(1, min(width, columns)), classes)
        drawn.append((torch.nn.functional.pad(values, (0, columns - values.shape[-1])), targets))
    values, targets = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    order = torch.randperm(tables, generator=generator, device=generator.device)
    return values[order], targets[order]


def _group(
    generator: Generator, choice: Random, tables: int, rows: int, columns: int, classes: int | None
) -> tuple[Tensor, Tensor]:
    kinds = {kind: often for kind, often in _KINDS.items() if classes or kind != "clusters"}
    (kind,) = choice.choices(list(kinds), list(kinds.values()))
    counts = class_counts(generator, tables, classes or 2)
    if kind == "clusters":
        causes = draw_heaps(generator, tables, rows, columns, counts)
    else:
        causes = draw_causes(generator, tables, rows, columns)
    count = classes or 1
    plain = 0.6 if kind == "clusters" else 0.3
    values, nodes = _columns_and_rest(generator, choice, causes.values, plain, count)
    dressed = dress(generator, values)
    scores = nodes
    if kind in SCORES:
        scores = SCORES[kind](generator, choice, choice.choice((dressed, values)), count)
    if classes is None:
        targets = number(generator, scores)
    elif kind == "clusters":
        targets = by_cluster(generator, causes.clusters, counts)
    else:
        cutting = by_threshold if choice.random() < 0.35 else by_largest
        targets = cutting(generator, scores, counts)
    dressed = add_noise_columns(generator, dressed)
    return with_gaps(generator, in_units(generator, dressed)), targets


def _columns_and_rest(
    generator: Generator, choice: Random, causes: Tensor, plain_share: float, count: int
) -> tuple[Tensor, Tensor]:
    """Columns [M, E, D], and nodes [M, E, count] that are none of them, of a random graph over the causes.

    In a `plain_share` of the tables the columns are the causes themselves, in others any nodes at all; and then few
    causes have a say, so that columns go together.
    """
    tables, _, columns = causes.shape
    hidden = max(columns, 3) + count
    few = log_between(generator, 1.0, columns + 0.99, tables, 1, 1).floor()
    plain = chance(generator, plain_share, tables, 1, 1)
    used = (torch.arange(columns, device=causes.device) < few) | plain
    grown = grow(generator, choice, causes, used, choice.randint(1, 3), hidden)
    nodes = torch.cat([causes, grown], dim=-1)
    total = nodes.shape[-1]
    keys = torch.rand(tables, total, generator=generator, device=generator.device)
    is_cause = torch.arange(total, device=causes.device) < columns
    # The target's nodes are taken from what was grown, anywhere or only from its last layer.
    last = torch.arange(total, device=causes.device) >= total - hidden
    from_last = chance(generator, 0.5, tables, 1)
    target_keys = keys.masked_fill(is_cause | (from_last & ~last), -1.0)
    chosen = target_keys.topk(count, dim=-1).indices
    keys = keys.scatter(-1, chosen, -2.0)
    keys = torch.where(plain.squeeze(-1) & is_cause, keys + 2, keys)
    idle = torch.nn.functional.pad(~used.squeeze(1), (0, total - columns))
    keys = keys.masked_fill(idle, -1.5)
    picked = keys.topk(columns, dim=-1).indices
    values = torch.take_along_dim(nodes, picked.unsqueeze(1), dim=-1)
    return standardised(values), torch.take_along_dim(nodes, chosen.unsqueeze(1), dim=-1)
