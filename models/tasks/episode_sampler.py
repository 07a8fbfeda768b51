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
        each, one after the other, an episode has those of one turn, the hardest to tell apart; those of others are
        last, since what looks the same from two sides would be two classes.
        """
        self.n_way = min(n_way, len(rows_of_class))
        self.turns = turns
        self.rows = torch.cat(list(rows_of_class))
        self.counts_C = torch.tensor([len(rows) for rows in rows_of_class])
        self.starts_C = self.counts_C.cumsum(0) - self.counts_C
        self.pool_of_class = torch.unique(pool_of_class, return_inverse=True)[1]
        self.sizes_P = self.pool_of_class.bincount()

    def draw(self, generator: Generator, episodes: int, per_class: int) -> tuple[Tensor, Tensor]:
        """Classes int64 [M, N], and of each `per_class` rows int64 [M, N, E]; none is drawn twice.

        Of a class that has fewer, all of its rows come first, and whatever fills the rest. Of a pool of fewer than
        `n_way` classes all come first, and then those of another: `available` tells how many are its own.
        """
        pools, classes = len(self.sizes_P), len(self.counts_C)
        # A pool's place in the episode's order of pools, and within it any order.
        places_MP = torch.rand(episodes, pools, generator=generator).argsort(1)
        keys_MC = places_MP[:, self.pool_of_class] + torch.rand(episodes, classes, generator=generator)
        if self.turns > 1:
            turns_MP = torch.randint(self.turns, (episodes, pools), generator=generator)
            is_turned_MC = torch.arange(classes) % self.turns != turns_MP[:, self.pool_of_class]
            keys_MC = keys_MC + pools * is_turned_MC
        classes_MN = keys_MC.topk(self.n_way, largest=False).indices
        picks_MNE = draw_distinct(generator, self.counts_C[classes_MN], per_class)
        return classes_MN, self.rows[self.starts_C[classes_MN].unsqueeze(-1) + picks_MNE]

    def available(self, classes: Tensor) -> Tensor:
        """Int64 [M]: how many of the classes [M, N] that `draw` gave are of their episode's pool."""
        of_pool_M: Tensor = self.sizes_P[self.pool_of_class[classes[:, 0]]] // self.turns
        return of_pool_M.clamp(max=classes.shape[1])

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
