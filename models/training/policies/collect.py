"""Trajectories from environments: all tasks and all their copies in lockstep. Learns nothing."""

import torch
from torch import Generator, Tensor

from models.environments.environment import EnvironmentFamily
from models.functional import Params
from models.policies.policy import Policy
from models.trajectory import Trajectories


@torch.no_grad()
def collect(
    policy: Policy,
    params: Params,
    family: EnvironmentFamily,
    tasks: Tensor,
    n_trajectories: int,
    generator: Generator,
) -> Trajectories:
    """R = `n_trajectories` of each of the tasks [M, G], all under `params`, which carry a leading M.

    L is the family's horizon. All that is random comes from the generator: actions first, then the environment.
    """
    lead = (len(tasks), n_trajectories)
    noise = policy.noise((family.horizon, *lead), generator).to(tasks.device)
    environment = family.start(tasks, n_trajectories, generator)
    look = torch.vmap(policy.distribution)
    params = dict(params)
    alive = torch.ones(lead, dtype=torch.bool, device=tasks.device)
    seen, chosen, log_probs, rewards, masks = [], [], [], [], []
    observations = environment.observations
    for t in range(family.horizon):
        distribution = look(params, observations)
        distribution = {
            # Whatever does not depend on the observation has no R of its own.
            name: value if value.dim() == observations.dim() else value.unsqueeze(1)
            for name, value in distribution.items()
        }
        actions = policy.sample(distribution, noise[t])
        outcome = environment.step(actions)
        seen.append(observations)
        chosen.append(actions)
        log_probs.append(policy.log_prob(distribution, actions))
        rewards.append(outcome.rewards)
        masks.append(alive)
        alive = alive & ~outcome.terminated
        observations = outcome.observations
    mask = torch.stack(masks, 2).to(torch.float32)
    return Trajectories(
        observations=torch.stack(seen, 2),
        actions=torch.stack(chosen, 2),
        rewards=torch.stack(rewards, 2) * mask,
        mask=mask,
        terminated=(~alive).to(torch.float32),
        log_probs=torch.stack(log_probs, 2) * mask,
        known=torch.ones(lead, device=tasks.device),
    )
