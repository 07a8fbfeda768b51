"""Learners over many tasks at once. Knows only the protocol; it holds for every algorithm.

The meta-parameters are shared by all tasks; everything else carries a leading M. No gradient is kept: this is
how adapted models are evaluated. The answers are those of one task at a time, up to the rounding of
batched kernels.
"""

import torch
from torch import Tensor

from models.algorithms.learner import MetaLearner
from models.episode import SupportSet
from models.functional import Params


@torch.no_grad()
def adapt_batch(
    learner: MetaLearner, meta_params: Params, support: SupportSet, start: Params | None = None
) -> dict[str, Tensor]:
    """Adapted parameters of M tasks, each with a leading M; `support` and `start` carry it too."""
    if start is None:
        return torch.vmap(lambda task: learner.adapt(meta_params, task))(support)
    return torch.vmap(lambda task, before: learner.adapt(meta_params, task, before))(support, dict(start))


@torch.no_grad()
def predict_batch(
    learner: MetaLearner, meta_params: Params, adapted_params: Params, query_inputs: Tensor
) -> dict[str, Tensor]:
    """Outputs [M, Q, ...] of M adapted models for their own query inputs [M, Q, X]."""
    answer = torch.vmap(lambda adapted, inputs: learner.predict(meta_params, adapted, inputs))
    return answer(dict(adapted_params), query_inputs)
