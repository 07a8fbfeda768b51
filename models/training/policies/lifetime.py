"""Hyperparameters that follow the meta-gradient while one policy learns (Xu, van Hasselt & Silver 2018). Pure.

    theta' = theta + f(tau, theta, eta)        eta' = eta + the meta-gradient dJ(tau', theta', reference)/deta

tau' are the next trajectories, collected by theta'. All of one life; lives side by side are a vmap. H settings
(SETTINGS, in order), E of them adapted. Knows no environment.

The paper shows its value function the settings, for it learns more slowly than they move. The baseline here is
fitted anew to every tau at the settings of the moment, and the derivative goes through that fit.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from models.algorithms.advantages import signal_of
from models.algorithms.maml_policy import MamlPolicy
from models.spec import AdaptedName, LifetimeSpec
from models.training.outer_step import Layout, OuterState, adam, clipped
from models.trajectory import Trajectories

SETTINGS: tuple[AdaptedName, ...] = ("discount", "gae_lambda", "inner_lr")

# Logits stay within these, 0.018 to 0.982: further out little would move them back.
_LOGIT = 4.0
# A rate is a share of so many times its first value: ever larger ones ruin a policy before a meta-gradient tells.
_LARGEST = 4.0


class Life(NamedTuple):
    """Where an agent is in its life. P numbers are the policy's."""

    params: Tensor  # [P]
    trace: Tensor  # [E, P], what the adapted settings did to the policy: dtheta/deta
    free: OuterState  # of [E] each: the adapted settings as unbounded numbers, and Adam's moments of them


class Lifetime:
    """A life's pure functions, for one learner and one choice of what is adapted."""

    def __init__(self, learner: MamlPolicy, spec: LifetimeSpec, layout: Layout, clip_norm: float) -> None:
        self.learner = learner
        self.spec = spec
        self.layout = layout
        self.clip_norm = clip_norm
        self._places = [SETTINGS.index(name) for name in spec.adapt]

    @property
    def initial(self) -> Tensor:
        """The settings [H] that the learner has by itself."""
        spec = self.learner.spec
        return torch.tensor([spec.discount, spec.gae_lambda, spec.inner_lr])

    def born(self, params: Tensor, initial: Tensor) -> Life:
        """A life that begins with the policy [P] and the settings [H]."""
        shares = [
            initial.new_tensor(1 / _LARGEST) if name == "inner_lr" else initial[place]
            for name, place in self._adapted
        ]
        free = (torch.stack(shares).logit() if shares else initial[:0]).clamp(-_LOGIT, _LOGIT)
        trace = params.new_zeros(len(free), len(params))
        return Life(params, trace, OuterState(free, torch.zeros_like(free), torch.zeros_like(free)))

    def live(self, life: Life, initial: Tensor, seen: Trajectories, rates: Tensor) -> Life:
        """One iteration on what the policy has just collected: first the settings learn from it, then the policy.

        `initial` [H] holds the settings that are not adapted, `rates` [3] are Adam's (`outer_step.outer_rates`).
        """
        gradient = self.meta_gradient(life.params, life.trace, seen)
        free = adam(life.free, clipped(gradient, self.clip_norm), rates)
        free = free._replace(params=free.params.clamp(-_LOGIT, _LOGIT))
        return Life(*self.moved(life.params, life.trace, free.params, initial, seen), free)

    def settings(self, free: Tensor, initial: Tensor) -> Tensor:
        """All settings [H] where the adapted ones are at `free` [E]."""
        values = list(initial.unbind())
        for number, (name, place) in enumerate(self._adapted):
            largest = _LARGEST * initial[place] if name == "inner_lr" else 1.0
            values[place] = largest * free[number].sigmoid()
        return torch.stack(values)

    def update(self, params: Tensor, free: Tensor, initial: Tensor, seen: Trajectories) -> Tensor:
        """theta + f(tau, theta, eta) [P]: one inner step of the learner."""
        discount, gae_lambda, rate = self.settings(free, initial).unbind()
        signal = signal_of(seen, discount, gae_lambda)
        return self.layout.pack(self.learner.step(self.layout.unpack(params), seen, signal, rate))

    def moved(
        self, params: Tensor, trace: Tensor, free: Tensor, initial: Tensor, seen: Trajectories
    ) -> tuple[Tensor, Tensor]:
        """The policy [P] after one update, and the trace mu (I + df/dtheta) z + df/deta [E, P] there."""

        def step(at: Tensor, eta: Tensor) -> Tensor:
            return self.update(at, eta, initial, seen)

        # Forward derivatives by two backward ones: the first is linear in what it
        # carries back, and its transpose carries moves forwards.
        there = torch.func.vjp(step, params, free)
        after: Tensor = there[0]
        if not len(free):
            return after, trace
        forth = torch.func.vjp(there[1], torch.zeros_like(after))[1]
        turns = torch.eye(len(free), dtype=free.dtype, device=free.device)
        moved: tuple[Tensor] = torch.vmap(lambda *moves: forth(moves))(self.spec.trace_decay * trace, turns)
        return after, moved[0]

    def meta_gradient(self, params: Tensor, trace: Tensor, seen: Trajectories) -> Tensor:
        """Of minus the reference's objective by the adapted settings [E]: the trace times its gradient there."""
        signal = signal_of(seen, self.spec.reference_discount, self.spec.reference_lambda)

        def loss(at: Tensor) -> Tensor:
            return self.learner.inner_loss(self.layout.unpack(at), seen, signal)

        gradient: Tensor = torch.func.grad(loss)(params)
        return trace @ gradient

    @property
    def _adapted(self) -> list[tuple[AdaptedName, int]]:
        return list(zip(self.spec.adapt, self._places, strict=True))
