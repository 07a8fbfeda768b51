"""The functions family: what a starter model for curves of one variable is trained on. Knows no learner."""

import math

import torch
from torch import Generator, Tensor

from models.episode import Episode, MetaBatch, QuerySet, SupportSet
from models.spec import FunctionKind, FunctionsSpec
from models.tasks.family import Split, uniform

RANGE = 10.0
NARROWEST_WINDOW = 2.0
SCALES = (0.1, 10.0)


class Functions:
    """Lines, parabolas, sinusoids and exponentials over x in [-10, 10], of varied scale and offset.

    lines         k x + b              k in U[-3, 3]
    parabolas     a (x - c)^2 + b      a in U[-0.3, 0.3], c in U[-6, 6]
    sinusoids     A sin(w x + p) + b   A in U[0.5, 5], w in U[0.2, 1.2], p in U[0, 2 pi]
    exponentials  A exp(r x) + b       A in U[-2, 2], r in U[-0.3, 0.3]

    with b in U[-5, 5], all of it, noise included, times a scale from 0.1 to 10, uniform in its logarithm: people
    have units of their own. Support points lie in a window of the range, at least 2 wide, and query points
    anywhere: people measure where they can and ask about elsewhere.
    """

    def __init__(self, spec: FunctionsSpec) -> None:
        """Raises ValueError where `min_shot` is above `max_shot`."""
        if spec.min_shot > spec.max_shot:
            raise ValueError(f"min_shot {spec.min_shot} is above max_shot {spec.max_shot}")
        self.spec = spec

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        """Support padded to [M, max_shot, 1], query [M, n_query, 1]; both splits are fresh draws."""
        spec, tasks = self.spec, meta_batch_size
        width_M1 = uniform(generator, NARROWEST_WINDOW, 2 * RANGE, tasks, 1)
        start_M1 = -RANGE + (2 * RANGE - width_M1) * torch.rand(tasks, 1, generator=generator)
        support_x_MS = start_M1 + width_M1 * torch.rand(tasks, spec.max_shot, generator=generator)
        query_x_MQ = uniform(generator, -RANGE, RANGE, tasks, spec.n_query)

        x_ME = torch.cat([support_x_MS, query_x_MQ], dim=1)
        y_ME = self._values(generator, x_ME)
        y_ME = y_ME + spec.noise * torch.randn(x_ME.shape, generator=generator)
        smallest, largest = (math.log(scale) for scale in SCALES)
        y_ME = y_ME * torch.exp(uniform(generator, smallest, largest, tasks, 1))
        shots_M1 = torch.randint(spec.min_shot, spec.max_shot + 1, (tasks, 1), generator=generator)
        mask_MS = (torch.arange(spec.max_shot) < shots_M1).float()
        support_y_MS, query_y_MQ = y_ME[:, : spec.max_shot], y_ME[:, spec.max_shot :]
        return Episode(
            SupportSet(
                (support_x_MS * mask_MS).unsqueeze(-1),
                (support_y_MS * mask_MS).unsqueeze(-1),
                mask_MS,
                torch.ones(tasks, 0),
            ),
            QuerySet(query_x_MQ.unsqueeze(-1), query_y_MQ.unsqueeze(-1), torch.ones(tasks, spec.n_query)),
        )

    def _values(self, generator: Generator, x_ME: Tensor) -> Tensor:
        """Every task's function at its own points: all kinds are computed, and each task keeps its own."""
        tasks = x_ME.shape[0]

        def draw(low: float, high: float) -> Tensor:
            return uniform(generator, low, high, tasks, 1)

        curves: dict[FunctionKind, Tensor] = {
            "line": draw(-3, 3) * x_ME,
            "parabola": draw(-0.3, 0.3) * (x_ME - draw(-6, 6)).square(),
            "sinusoid": draw(0.5, 5) * torch.sin(draw(0.2, 1.2) * x_ME + draw(0, 2 * math.pi)),
            "exponential": draw(-2, 2) * torch.exp(draw(-0.3, 0.3) * x_ME),
        }
        chosen_M = torch.randint(len(self.spec.kinds), (tasks,), generator=generator)
        stacked_KME = torch.stack([curves[kind] for kind in self.spec.kinds])
        return stacked_KME[chosen_M, torch.arange(tasks)] + draw(-5, 5)
