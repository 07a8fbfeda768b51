"""Harvest or sow: a family whose tasks differ in how far it pays to look ahead. Knows nothing of policies."""

import torch
from torch import Generator, Tensor

from models.environments.environment import Environment, Outcome
from models.spec import SeasonsSpec
from models.tasks.family import Split

AIM = 0.5
WINTER, SUMMER = 0, 1
HARVEST = (1.5, 1.0)  # what the best action pays at once, in each season
SOWN = 3.0  # what the best action adds to the field
LEAVES = 0.1  # the share of what lies in the field that leaves it at a step
GROWS = (0.0, 1.0)  # how much of what leaves is paid
WEATHER = (1.2, 0.0)  # std of what the weather pays at a step, in units of the spec's noise
LASTS = 0.95  # the weather's correlation from one step to the next
SNOW = 1 / 3  # what the weather leaves in the field, of what it pays
NOISE = 0.5  # std of what else is paid at a step, in units of the spec's
FIELD_UNIT = 10.0


class Seasons:
    """A task is its season [1], then the best action to harvest at each cue [cues], -0.5 or 0.5; all at even odds.

    A cue is drawn at every step. An action a at a cue of aim x harvests HARVEST (1 - |a - x|) at once, and adds
    SOWN (1 - |a + x|) to a field that is seen, of which the share LEAVES leaves at every step.

    In summer what leaves is paid: three times what the harvest pays, but later, and it wants the opposite action.
    Not looking far ahead is costly. In winter nothing grows, and all that an action pays it pays at once; but a
    weather that is not seen, and lasts, pays as well and leaves snow in the field. A full field tells of good
    weather: values learned from it promise to whoever looks ahead what sowing does not bring (it is a proxy, no
    cause), and returns that are summed over a long time are full of weather. Looking ahead is costly.
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
        gusts, noise = (self._noise * torch.randn(2, *lead, generator=generator)).to(tasks.device)
        return _Field(tasks[:, 0].long(), tasks[:, 1:], cues, gusts, NOISE * noise)


class _Field:
    def __init__(
        self, seasons_M: Tensor, aims_MC: Tensor, cues_LMR: Tensor, gusts_LMR: Tensor, noise_LMR: Tensor
    ) -> None:
        self._aims = aims_MC
        self._harvest, self._grows, weather = (
            aims_MC.new_tensor(values)[seasons_M].unsqueeze(1) for values in (HARVEST, GROWS, WEATHER)
        )
        self._cues, self._gusts, self._noise = iter(cues_LMR), iter(weather * gusts_LMR), iter(noise_LMR)
        self._cue, self._weather = next(self._cues), next(self._gusts)
        self._lies = torch.zeros(cues_LMR.shape[1:], device=aims_MC.device)

    @property
    def observations(self) -> Tensor:
        """The cue, one-hot, and what lies in the field, in tens [M, R, cues + 1]."""
        cues = torch.nn.functional.one_hot(self._cue, self._aims.shape[1]).to(torch.float32)
        return torch.cat([cues, self._lies.unsqueeze(-1) / FIELD_UNIT], -1)

    def step(self, actions: Tensor) -> Outcome:
        """What lies in the field leaves first; what is sown now leaves from the next step on."""
        action, aim = actions.squeeze(-1).clamp(-1.0, 1.0), self._aims.gather(1, self._cue)
        leaves = LEAVES * self._lies
        harvested = self._harvest * (1 - (action - aim).abs())
        rewards = harvested + self._grows * leaves + self._weather + next(self._noise)
        self._lies = self._lies - leaves + SOWN * (1 - (action + aim).abs()) + SNOW * self._weather
        self._weather = LASTS * self._weather + (1 - LASTS**2) ** 0.5 * next(self._gusts)
        self._cue = next(self._cues)
        return Outcome(self.observations, rewards, torch.zeros_like(rewards, dtype=torch.bool))
