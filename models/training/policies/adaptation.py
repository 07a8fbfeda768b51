"""Adapting policies to many tasks with fresh trajectories before every inner step. Keeps no gradient."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from models.algorithms.advantages import signal_of
from models.algorithms.maml_policy import MamlPolicy
from models.environments.environment import EnvironmentFamily
from models.functional import Params
from models.training.policies.collect import collect
from models.training.policies.objective import Stage, credits_of


@torch.no_grad()
def adapt_with_fresh(
    learner: MamlPolicy,
    meta_params: Params,
    family: EnvironmentFamily,
    tasks: Tensor,
    rates: Sequence[float],
    n_trajectories: int,
    generator: Generator,
) -> list[Stage]:
    """K + 1 stages of tasks [M, G] for K inner steps at the given rates: the last is after the last step."""
    spec = learner.spec
    params = {name: value.expand(len(tasks), *value.shape) for name, value in meta_params.items()}
    stages = []
    for rate in (*rates, None):
        found = collect(learner.policy, params, family, tasks, n_trajectories, generator)
        signal = signal_of(found, spec.discount, spec.gae_lambda)
        distribution = torch.vmap(learner.policy.distribution)(params, found.observations)
        stages.append(Stage(found, signal, distribution, credits_of(found, signal)))
        if rate is not None:
            # A loop's variable is bound late: the step is called before it moves on.
            step = torch.vmap(lambda at, seen, sign, rate=rate: learner.step(at, seen, sign, rate))
            params = step(params, found, signal)
    return stages
