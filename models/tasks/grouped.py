"""The family of tasks that are groups of rows: people, schools, devices. Knows no learner and no file."""

import torch
from torch import Generator, Tensor

from models.episode import Episode, MetaBatch, QuerySet, SupportSet
from models.spec import GroupSpec, Signature
from models.tasks.episode_sampler import draw_distinct
from models.tasks.family import Split
from models.tasks.group_split import GroupSplit, split_groups
from models.tasks.grouped_data import GroupedData


class Grouped:
    """Some of a group's rows are given, others asked for; the meta-test's groups are never seen in meta-training.

    `signature` is that of a model for these tasks: numbers are standardised by the meta-training groups.
    """

    def __init__(self, spec: GroupSpec, data: GroupedData) -> None:
        """Raises ValueError, with what is missing, where the dataset cannot give such episodes."""
        self.spec = spec
        self.data, self.split = self._split(spec, data)
        self.signature: Signature = self.data.standardised(self.split.train)

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        """Support padded to [M, max_shot, D], query to [M, n_query, D]; no row is in both."""
        spec, tasks = self.spec, meta_batch_size
        stock_G = self.split.of(split).nonzero().flatten()
        groups_M = stock_G[torch.randint(len(stock_G), (tasks,), generator=generator)]
        counts_M = self.data.counts[groups_M]
        spread_M = torch.clamp(counts_M - 1, max=spec.max_shot) - spec.min_shot + 1
        shots_M1 = (spec.min_shot + (torch.rand(tasks, generator=generator) * spread_M).long()).unsqueeze(-1)
        places_ME = self._places(generator, counts_M)
        given_S, asked_MQ = torch.arange(spec.max_shot), shots_M1 + torch.arange(spec.n_query)
        mask_MS, mask_MQ = given_S < shots_M1, asked_MQ < counts_M.unsqueeze(-1)
        starts_M1 = self.data.starts[groups_M].unsqueeze(-1)
        support = self._rows(starts_M1 + places_ME[:, : spec.max_shot], mask_MS)
        query = self._rows(starts_M1 + places_ME.gather(1, asked_MQ), mask_MQ)
        class_mask_MN = torch.ones(tasks, len(self.data.classes))
        return Episode(SupportSet(*support, class_mask_MN), QuerySet(*query))

    def _split(self, spec: GroupSpec, data: GroupedData) -> tuple[GroupedData, GroupSplit]:
        return split_groups(spec, data)

    def _places(self, generator: Generator, counts: Tensor) -> Tensor:
        """Places of rows within groups of `counts` [M] rows, int64 [M, max_shot + n_query], in the order in which
        they are given and then asked for; anything beyond a group's last row."""
        return draw_distinct(generator, counts, self.spec.max_shot + self.spec.n_query)

    def _rows(self, rows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs, targets and float mask of the rows [M, E]; zeros where bool `mask` [M, E] is not set."""
        found = torch.where(mask, rows, 0)
        real = mask.float()
        inputs = self.data.inputs[found] * real.unsqueeze(-1)
        targets = self.data.targets[found]
        return inputs, targets * (mask if targets.dim() == 2 else real.unsqueeze(-1)), real
