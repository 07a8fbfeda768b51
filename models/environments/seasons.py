"""Harvest or sow: a family whose tasks differ in how far it pays to look ahead. Knows nothing of policies."""

import torch
from torch import Generator, Tensor

from models.environments.environment import Environment, Outcome
from models.spec import SeasonsSpec
from models.tasks.family import Split

AIM = 0.5
WINTER, SUMMER = 0, 1
HARVEST = (3.0, 1.0)  # what the best action pays at once, in each season
SOWN = (0.0, 3.0)  # what the best action sows
NOISE = (20.0, 1.0)  # std of each reward, in units of the spec's
RIPENS = 0.2  # the share of what lies in the ground that a step pays out


class Seasons:
    """A task is its season [1], then the best action to harvest at each cue [cues], -0.5 or 0.5; all at even odds.

    A cue is drawn at every step. An action a at a cue of aim x harvests HARVEST (1 - (a - x)²) at once and sows
    SOWN (1 - (a + x)²), of which RIPENS is paid at the next step, then RIPENS of the rest, and so on. In winter
    nothing is sown, and all that follows an action is noise to it, of which there is more: looking ahead is costly.
    In summer most of what an action pays comes later, and it wants the opposite action: not looking is costly.
    """

    def __init__(self, spec: SeasonsSpec) -> None:
        self.horizon = spec.horizon
        self._cues = spec.cues
        self._noise = spec.noise

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> Tensor:
        drawn = torch.randint(2, (meta_batch_size, 1 + self._cues), generator=generator).to(torch.float32)
        return torch.cat([drawn[:, :1], AIM * (2 * drawn[:, 1:] - 1)], 1)

    def start(self, tasks: Tensor, n_trajectories: int, generator: Generator) -> Environment:
        lead = (self.horizon + 1, len(tasks), n_trajectories)
        cues = torch.randint(self._cues, lead, generator=generator).to(tasks.device)
        noise = self._noise * torch.randn(*lead, generator=generator).to(tasks.device)
        return _Fields(tasks[:, 0].long(), tasks[:, 1:], cues, noise)


class _Fields:
    def __init__(self, seasons_M: Tensor, aims_MC: Tensor, cues_LMR: Tensor, noise_LMR: Tensor) -> None:
        harvest, sown, noise = (
            aims_MC.new_tensor(values)[seasons_M].unsqueeze(1) for values in (HARVEST, SOWN, NOISE)
        )
        self._aims, self._harvest, self._sown = aims_MC, harvest, sown
        self._cues, self._noise = iter(cues_LMR), iter(noise * noise_LMR)
        self._cue = next(self._cues)
        self._ground = torch.zeros(cues_LMR.shape[1:], device=aims_MC.device)

    @property
    def observations(self) -> Tensor:
        """The cue, one-hot [M, R, cues]."""
        return torch.nn.functional.one_hot(self._cue, self._aims.shape[1]).to(torch.float32)

    def step(self, actions: Tensor) -> Outcome:
        """What lies in the ground pays first; what is sown now pays from the next step on."""
        action, aim = actions.squeeze(-1).clamp(-1.0, 1.0), self._aims.gather(1, self._cue)
        paid = RIPENS * self._ground
        self._ground = self._ground - paid + self._sown * (1 - (action + aim).square())
        self._cue = next(self._cues)
        rewards = self._harvest * (1 - (action - aim).square()) + paid + next(self._noise)
        return Outcome(self.observations, rewards, torch.zeros_like(rewards, dtype=torch.bool))
