"""Random tabular MDPs as one tensor program. Knows nothing of policies."""

import torch
from torch import Generator, Tensor

from models.environments.environment import Environment, Outcome
from models.spec import TabularMdpSpec
from models.tasks.family import Split


class TabularMdp:
    """A task is its transitions [S, n, S] and mean rewards [S, n], one after the other (Duan et al. 2016).

    Transitions are Dirichlet(1), mean rewards N(1, 1), each reward has N(0, 1) on top.
    """

    def __init__(self, spec: TabularMdpSpec) -> None:
        self.horizon = spec.horizon
        self._states = spec.states
        self._actions = spec.actions

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> Tensor:
        shape = (meta_batch_size, self._states, self._actions)
        # Exponentials over their sum are Dirichlet(1).
        weights = torch.empty(*shape, self._states).exponential_(generator=generator)
        rewards = 1.0 + torch.randn(*shape, generator=generator)
        return torch.cat([(weights / weights.sum(-1, keepdim=True)).flatten(1), rewards.flatten(1)], 1)

    def start(self, tasks: Tensor, n_trajectories: int, generator: Generator) -> Environment:
        lead = (self.horizon, len(tasks), n_trajectories)
        moves = torch.rand(*lead, generator=generator).to(tasks.device)
        noise = torch.randn(*lead, generator=generator).to(tasks.device)
        size = self._states * self._actions * self._states
        transitions = tasks[:, :size].reshape(-1, self._states * self._actions, self._states)
        return _Mdps(transitions, tasks[:, size:], self._actions, moves, noise)


class _Mdps:
    def __init__(
        self,
        transitions_MCS: Tensor,  # C = S x n, a state and an action
        rewards_MC: Tensor,
        n_actions: int,
        moves_LMR: Tensor,
        noise_LMR: Tensor,
    ) -> None:
        self._cumulative = transitions_MCS.cumsum(-1)
        self._rewards = rewards_MC
        self._n_actions = n_actions
        self._moves, self._noise = iter(moves_LMR), iter(noise_LMR)
        self._state = torch.zeros(moves_LMR.shape[1:], dtype=torch.int64, device=rewards_MC.device)

    @property
    def observations(self) -> Tensor:
        """One-hot [M, R, S]."""
        return torch.nn.functional.one_hot(self._state, self._cumulative.shape[-1]).to(torch.float32)

    def step(self, actions: Tensor) -> Outcome:
        chosen = self._state * self._n_actions + actions
        rewards = self._rewards.gather(1, chosen) + next(self._noise)
        row = chosen.unsqueeze(-1).expand(*chosen.shape, self._cumulative.shape[-1])
        bounds = self._cumulative.gather(1, row)
        self._state = (next(self._moves).unsqueeze(-1) >= bounds[..., :-1]).sum(-1)
        return Outcome(self.observations, rewards, torch.zeros_like(rewards, dtype=torch.bool))
