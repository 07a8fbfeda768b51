"""Drawing rows of a dataset into episodes, many at once. Knows groups of rows; nothing of inputs or learners."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor


class EpisodeSampler:
    """N-way draws from a stock of classes, each a set of rows, grouped into pools that an episode stays within.

    A pool is a task of the dataset where episodes are drawn within one, else there is a single pool.
    """

    def __init__(
        self, rows_of_class: Sequence[Tensor], pool_of_class: Tensor, n_way: int, turns: int = 1
    ) -> None:
        """`rows_of_class` int64 [n_c] each; `pool_of_class` int64 [C], a pool number.

        Episodes have `n_way` classes, or all there are where these are fewer. Of classes that come as `turns` of
        each, one after the other, an episode has those of one turn first: those are the hardest to tell apart.
        """
        self.n_way = min(n_way, len(rows_of_class))
        self.turns = turns
        self.rows = torch.cat(list(rows_of_class))
        self.counts_C = torch.tensor([len(rows) for rows in rows_of_class])
        self.starts_C = self.counts_C.cumsum(0) - self.counts_C
        pools_P = pool_of_class.bincount().nonzero()
        self.members_PC = pools_P == pool_of_class
        self.pool_of_class = torch.searchsorted(pools_P.flatten(), pool_of_class)

    def draw(self, generator: Generator, episodes: int, per_class: int) -> tuple[Tensor, Tensor]:
        """Classes int64 [M, N], and of each `per_class` rows int64 [M, N, E]; none is drawn twice.

        Of a class that has fewer, all of its rows come first, and whatever fills the rest. A pool of fewer than
        `n_way` classes has all of them first, and then others: `available` tells how many are its own.
        """
        pools_M = torch.randint(len(self.members_PC), (episodes,), generator=generator)
        keys_MC = torch.rand(episodes, len(self.counts_C), generator=generator)
        if self.turns > 1:
            turn_M1 = torch.randint(self.turns, (episodes, 1), generator=generator)
            keys_MC = keys_MC + (torch.arange(len(self.counts_C)) % self.turns == turn_M1)
        classes_MN = keys_MC.masked_fill(~self.members_PC[pools_M], -1.0).topk(self.n_way).indices
        picks_MNE = draw_distinct(generator, self.counts_C[classes_MN], per_class)
        return classes_MN, self.rows[self.starts_C[classes_MN].unsqueeze(-1) + picks_MNE]

    def available(self, classes: Tensor) -> Tensor:
        """Int64 [M]: how many of the classes [M, N] that `draw` gave are of their episode's pool."""
        return self.members_PC.sum(1)[self.pool_of_class[classes[:, 0]]].clamp(max=classes.shape[1])

    def draw_examples(self, generator: Generator, size: int) -> tuple[Tensor, Tensor]:
        """Classes int64 [size], each equally likely, and a row int64 [size] of each."""
        classes = torch.randint(len(self.counts_C), (size,), generator=generator)
        counts = self.counts_C[classes]
        places = (torch.rand(size, generator=generator, dtype=torch.float64) * counts).long()
        return classes, self.rows[self.starts_C[classes] + places]


def draw_distinct(generator: Generator, bounds: Tensor, size: int) -> Tensor:
    """Int64 [*bounds, size]: below each bound `size` different numbers, every ordered choice equally likely.

    A bound below `size` gives all of its numbers, in any order, and then whatever fills the rest.

    Floyd's algorithm (Bentley & Floyd 1987), which costs the same for a class of a million rows as for one of
    ten, and then a shuffle, because Floyd's choices are unordered.
    """
    chosen = torch.full((*bounds.shape, size), -1)
    for place in range(size):
        last = torch.minimum(bounds - bounds.clamp(max=size) + place, bounds - 1)
        number = (torch.rand(bounds.shape, generator=generator, dtype=torch.float64) * (last + 1)).long()
        taken = (chosen == number.unsqueeze(-1)).any(-1)
        chosen[..., place] = torch.where(taken, last, number)
    keys = torch.rand(chosen.shape, generator=generator)
    order = torch.where(torch.arange(size) < bounds.unsqueeze(-1), keys, 2.0).argsort(-1)
    return chosen.gather(-1, order)
