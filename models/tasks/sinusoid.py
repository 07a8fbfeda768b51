"""The sinusoid regression family, few-shot learning's oldest check. Knows nothing of learners."""

import math

import torch
from torch import Generator

from models.episode import Episode, MetaBatch, QuerySet, SupportSet
from models.spec import SinusoidSpec
from models.tasks.family import Split, uniform


class Sinusoid:
    """y = A sin(x - phase), A in U[0.1, 5], phase in U[0, pi], x in U[-5, 5], no noise (Finn et al. 2017)."""

    def __init__(self, spec: SinusoidSpec) -> None:
        self.spec = spec

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        """Support inputs and targets [M, n_shot, 1], query [M, n_query, 1]; both splits are fresh draws."""
        shots, n_query = self.spec.n_shot, self.spec.n_query
        amplitude_M11 = uniform(generator, 0.1, 5.0, meta_batch_size, 1, 1)
        phase_M11 = uniform(generator, 0.0, math.pi, meta_batch_size, 1, 1)
        x_ME1 = uniform(generator, -5.0, 5.0, meta_batch_size, shots + n_query, 1)
        y_ME1 = amplitude_M11 * torch.sin(x_ME1 - phase_M11)
        return Episode(
            SupportSet(
                x_ME1[:, :shots],
                y_ME1[:, :shots],
                torch.ones(meta_batch_size, shots),
                torch.ones(meta_batch_size, 0),
            ),
            QuerySet(x_ME1[:, shots:], y_ME1[:, shots:], torch.ones(meta_batch_size, n_query)),
        )
