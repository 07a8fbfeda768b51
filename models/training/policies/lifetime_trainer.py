"""One agent's life as a training: the face of `Trainer` on `Lifetime`. Knows environments by their protocol."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from models.algorithms.maml_policy import MamlPolicy
from models.environments.environment import EnvironmentFamily
from models.spec import LifetimeSpec
from models.training.config import TrainingSpec
from models.training.meta_trainer import DivergedError
from models.training.outer_step import Layout, OuterState, outer_rates
from models.training.policies.collect import collect
from models.training.policies.lifetime import SETTINGS, Life, Lifetime
from models.training.policies.trainer import BatchedPlan
from models.training.trainer import Named, Stretch
from models.trajectory import returns


class LifetimeTrainer:
    """One policy and its hyperparameters, on one task after the other; what it publishes is the policy as it is.

    A run that was stopped and resumed equals an uninterrupted one bit for bit, as `PolicyTrainer`'s does.
    """

    def __init__(
        self,
        training: TrainingSpec,
        spec: LifetimeSpec,
        family: EnvironmentFamily,
        learner: MamlPolicy,
        n_trajectories: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.training = training
        self.spec = spec
        self.family = family
        self.learner = learner
        self.n_trajectories = n_trajectories
        self.device = torch.device(device)
        self.iteration = 0
        self.plan: Named = BatchedPlan()
        self.stretches: tuple[Stretch, ...] = (Stretch(0, self.plan.name),)
        self._generator = torch.Generator().manual_seed(training.seed)
        params = learner.init(self._generator)
        self._layout = Layout(params)
        self._lifetime = Lifetime(learner, spec, self._layout, training.clip_norm)
        self._initial = self._lifetime.initial.to(self.device)
        self._task = torch.zeros(0)
        self.life = self._lifetime.born(self._layout.pack(params).to(self.device), self._initial)

    @property
    def meta_params(self) -> dict[str, Tensor]:
        """The policy's parameters as they are now, float32 on the CPU."""
        unpacked = self._layout.unpack(self.life.params)
        return {name: value.to("cpu", copy=True) for name, value in unpacked.items()}

    @property
    def settings(self) -> dict[str, float]:
        """Discount, lambda and inner rate as they are now."""
        values = self._lifetime.settings(self.life.free.params, self._initial)
        return dict(zip(SETTINGS, values.tolist(), strict=True))

    @property
    def finished(self) -> bool:
        return self.iteration >= self.training.iterations

    def run(self, iterations: int) -> dict[str, float]:
        """Takes that many inner steps, or those that are left; the mean of every metric over them.

        `return_step_0` is the mean undiscounted return of what was collected, `meta_loss` minus that; then the
        settings after each step. Raises DivergedError.
        """
        last = min(self.iteration + iterations, self.training.iterations)
        history: list[dict[str, float]] = []
        while self.iteration < last:
            metrics = self._step()
            self.iteration += 1
            if not all(map(math.isfinite, metrics.values())) or not bool(self.life.params.isfinite().all()):
                raise DivergedError(self.iteration)
            history.append(metrics)
        return (
            {name: sum(one[name] for one in history) / len(history) for name in history[0]} if history else {}
        )

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name, on the CPU."""
        parts = {"trace": self.life.trace, **self.life.free._asdict()}
        return {
            "iteration": torch.tensor(self.iteration),
            "generator": self._generator.get_state(),
            "task": self._task.clone(),
            **{f"meta_params/{name}": value for name, value in self.meta_params.items()},
            **{f"lifetime/{name}": value.to("cpu", copy=True) for name, value in parts.items()},
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` gave, for the same configuration. Raises ValueError where it does not fit."""
        expected = {name: value.shape for name, value in self.state().items() if "/" in name}
        if {name: value.shape for name, value in state.items() if "/" in name} != expected:
            raise ValueError("the checkpoint is not one of this learner")
        self.iteration = int(state["iteration"])
        self._generator.set_state(state["generator"])
        self._task = state["task"].clone()
        params = self._layout.pack({name: state[f"meta_params/{name}"] for name in self._layout.shapes})
        free = OuterState(*(state[f"lifetime/{name}"].to(self.device) for name in OuterState._fields))
        self.life = Life(params.to(self.device), state["lifetime/trace"].to(self.device), free)

    def _step(self) -> dict[str, float]:
        if self.iteration % self.spec.task_iterations == 0:
            self._task = self.family.sample(self._generator, 1)
        params = {name: value[None] for name, value in self._layout.unpack(self.life.params).items()}
        task = self._task.to(self.device)
        found = collect(self.learner.policy, params, self.family, task, self.n_trajectories, self._generator)
        seen = type(found)(*(values[0] for values in found))
        rates = outer_rates(self.training, self.iteration, 1)[0].to(self.device)
        self.life = self._lifetime.live(self.life, self._initial, seen, rates)
        score = returns(seen).mean().item()
        return {"meta_loss": -score, "return_step_0": score, **self.settings}
