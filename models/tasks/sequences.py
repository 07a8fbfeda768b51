"""The family of sequences: what a group did first is given, what it did next is asked for. Knows no learner."""

import torch
from torch import Generator, Tensor

from models.tasks.grouped import Grouped


class Sequences(Grouped):
    """A support set holds a group's first rows and the query those that follow: never the future in the support."""

    def _places(self, generator: Generator, counts: Tensor) -> Tensor:
        return torch.arange(self.spec.max_shot + self.spec.n_query).repeat(len(counts), 1)
