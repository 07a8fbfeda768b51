"""The outer loop of policies: collect, adapt, collect, improve the start. The face of `MetaTrainer`.

Knows environments and policies by their protocols.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from models.algorithms.maml_policy import MamlPolicy
from models.environments.environment import EnvironmentFamily
from models.spec import PolicyGradientSpec, PpoSpec, TrpoSpec
from models.training.config import TrainingSpec
from models.training.meta_trainer import DivergedError
from models.training.outer_step import BETAS, Layout, OuterState, meta_lr
from models.training.policies.adaptation import adapt_with_fresh
from models.training.policies.objective import Objective, Stage
from models.training.policies.updates import ppo, trpo
from models.training.trainer import Named, Stretch
from models.trajectory import returns

_MOMENTS = ("exp_avg", "exp_avg_sq")


class BatchedPlan:
    """All tasks and all their trajectories in one tensor program: the one way that policies are trained."""

    name = "batched"


class PolicyTrainer:
    """Meta-trains one policy on one family of environments; its whole state goes into a checkpoint and comes back.

    On the CPU, at one number of threads, a run that was stopped and resumed equals an uninterrupted one bit for
    bit: all that is random comes from one generator, whose state is part of the checkpoint.
    """

    def __init__(
        self,
        training: TrainingSpec,
        family: EnvironmentFamily,
        learner: MamlPolicy,
        n_trajectories: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.training = training
        self.family = family
        self.learner = learner
        self.n_trajectories = n_trajectories
        self.device = torch.device(device)
        outer = training.outer or PpoSpec()
        if not isinstance(outer, PpoSpec | TrpoSpec | PolicyGradientSpec):
            raise ValueError("a lifetime is trained by LifetimeTrainer")
        self.outer = outer
        self.iteration = 0
        self._generator = torch.Generator().manual_seed(training.seed)
        initial = learner.init(self._generator)
        self._layout = Layout(initial)
        params = self._layout.pack(initial).to(self.device)
        self.outer_state = OuterState(params, torch.zeros_like(params), torch.zeros_like(params))
        self.plan: Named = BatchedPlan()
        self.stretches: tuple[Stretch, ...] = (Stretch(0, self.plan.name),)
        self.rates = learner.spec.rates(learner.spec.inner_steps)

    @property
    def meta_params(self) -> dict[str, Tensor]:
        """The meta-parameters as they are now, float32 on the CPU, detached."""
        return self._named(self.outer_state.params)

    @property
    def finished(self) -> bool:
        return self.iteration >= self.training.iterations

    def run(self, iterations: int) -> dict[str, float]:
        """Takes that many outer steps, or those that are left; the mean of every metric over them.

        `meta_loss` is minus the mean return after the last inner step, `return_step_<n>` the mean undiscounted
        return after n inner steps, `divergence` that of the policies before each from those that collected, and
        `std` a Gaussian policy's mean std, in half widths of its box. Raises DivergedError.
        """
        last = min(self.iteration + iterations, self.training.iterations)
        history: list[dict[str, float]] = []
        while self.iteration < last:
            metrics = self._step()
            self.iteration += 1
            if not all(map(math.isfinite, metrics.values())):
                raise DivergedError(self.iteration)
            history.append(metrics)
        if not bool(self.outer_state.params.isfinite().all()):
            raise DivergedError(self.iteration)
        return (
            {name: sum(one[name] for one in history) / len(history) for name in history[0]} if history else {}
        )

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name, on the CPU."""
        state = {"iteration": torch.tensor(self.iteration), "generator": self._generator.get_state()}
        for part, vector in zip(("meta_params", *_MOMENTS), self.outer_state, strict=True):
            state |= {f"{part}/{name}": value for name, value in self._named(vector).items()}
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` gave, for the same configuration. Raises ValueError where it does not fit."""
        given = {name: value.shape for name, value in state.items() if name.startswith("meta_params/")}
        if given != {f"meta_params/{name}": shape for name, shape in self._layout.shapes.items()}:
            raise ValueError("the checkpoint is not one of this learner")
        self.iteration = int(state["iteration"])
        self._generator.set_state(state["generator"])
        self.outer_state = OuterState(
            *(
                self._layout.pack({name: state[f"{part}/{name}"] for name in self._layout.shapes}).to(
                    self.device
                )
                for part in ("meta_params", *_MOMENTS)
            )
        )

    def _step(self) -> dict[str, float]:
        tasks = self.family.sample(self._generator, self.training.meta_batch_size).to(self.device)
        stages = adapt_with_fresh(
            self.learner,
            self._layout.unpack(self.outer_state.params),
            self.family,
            tasks,
            self.rates,
            self.n_trajectories,
            self._generator,
        )
        objective = self._improve(stages)
        metrics = {f"return_step_{n}": _mean_return(stage) for n, stage in enumerate(stages)}
        metrics["divergence"] = objective.divergence_before.item()
        log_std = self._layout.unpack(self.outer_state.params).get("log_std")
        if log_std is not None:
            metrics["std"] = log_std.exp().mean().item()
        return {"meta_loss": -_mean_return(stages[-1]), **metrics}

    def _improve(self, stages: list[Stage]) -> Objective:
        if isinstance(self.outer, TrpoSpec):
            params, objective = trpo(
                self.learner, self._layout, self.outer_state.params, stages, self.rates, self.outer
            )
            self.outer_state = self.outer_state._replace(params=params)
            return objective
        epochs = self.outer.epochs if isinstance(self.outer, PpoSpec) else 1
        self.outer_state, objective = ppo(
            self.learner,
            self._layout,
            self.outer_state,
            stages,
            self.rates,
            self.outer,
            [self._adam_rates(epochs * self.iteration + epoch) for epoch in range(epochs)],
            self.training.clip_norm,
        )
        return objective

    def _adam_rates(self, taken: int) -> Tensor:
        """Float32 [2] after so many steps of Adam: its step size and its root correction."""
        corrections = [1 - beta ** (taken + 1) for beta in BETAS]
        rate = meta_lr(self.training, self.iteration)
        return torch.tensor([rate / corrections[0], math.sqrt(corrections[1])], device=self.device)

    def _named(self, vector: Tensor) -> dict[str, Tensor]:
        return {name: value.to("cpu", copy=True) for name, value in self._layout.unpack(vector).items()}


def _mean_return(stage: Stage) -> float:
    return returns(stage.trajectories).mean().item()
