"""The outer loop: Adam on the mean loss of a meta-batch. Knows learners and families by their protocols alone."""

import math

import torch
from torch import Tensor

from models.algorithms.learner import MetaLearner
from models.episode import MetaBatch, QuerySet, SupportSet
from models.tasks.family import TaskFamily
from models.training.config import TrainingSpec

_MOMENTS = ("exp_avg", "exp_avg_sq")


class DivergedError(RuntimeError):
    """Meta-training met a loss or parameters that are not finite: the configuration does not train."""

    def __init__(self, iteration: int) -> None:
        super().__init__(
            f"numbers were not finite at iteration {iteration}: meta-training diverged; a smaller meta_lr, or "
            "for maml a smaller inner_lr, usually helps"
        )
        self.iteration = iteration


class MetaTrainer:
    """Meta-trains one learner on one family; its whole state goes into a checkpoint and comes back from one.

    On the CPU, at one number of threads, a run that was stopped and resumed equals an uninterrupted one bit for
    bit: episodes are drawn from the run's own generator, always on the CPU.
    """

    def __init__(
        self,
        training: TrainingSpec,
        family: TaskFamily,
        learner: MetaLearner,
        device: torch.device | str = "cpu",
    ) -> None:
        self.training = training
        self.family = family
        self.learner = learner
        self.device = torch.device(device)
        self.iteration = 0
        self.generator = torch.Generator().manual_seed(training.seed)
        initial = learner.init(self.generator)
        self._params = {name: value.to(self.device).requires_grad_() for name, value in initial.items()}
        self._optimizer = torch.optim.Adam(list(self._params.values()), lr=training.meta_lr, fused=True)

    @property
    def meta_params(self) -> dict[str, Tensor]:
        """The meta-parameters as they are now, float32 on the CPU, detached."""
        return {name: value.detach().to("cpu", copy=True) for name, value in self._params.items()}

    @property
    def finished(self) -> bool:
        return self.iteration >= self.training.iterations

    def run(self, iterations: int) -> dict[str, float]:
        """Takes that many outer steps, or those that are left; the mean of every metric over them.

        `meta_loss` is what is minimised; the others are the learner's. Raises DivergedError.
        """
        first = self.iteration
        history: list[dict[str, Tensor]] = []
        for _ in range(min(iterations, self.training.iterations - first)):
            history.append(self._outer_step())
            self.iteration += 1
        if not history:
            return {}
        metrics = {name: torch.stack([step[name] for step in history]).cpu() for name in history[0]}
        broken = (~metrics["meta_loss"].isfinite()).nonzero()
        if len(broken):
            raise DivergedError(first + int(broken[0]) + 1)
        if not all(bool(param.isfinite().all()) for param in self._params.values()):
            raise DivergedError(self.iteration)
        return {name: values.mean().item() for name, values in metrics.items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name, on the CPU."""
        state = {
            "iteration": torch.tensor(self.iteration),
            "generator": self.generator.get_state(),
            **{f"meta_params/{name}": value for name, value in self.meta_params.items()},
        }
        for name, param in self._params.items():
            for moment in _MOMENTS if self.iteration else ():
                state[f"{moment}/{name}"] = self._optimizer.state[param][moment].to("cpu", copy=True)
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes on from what `state` gave, for the same configuration. Raises ValueError where it does not fit."""
        expected = {f"meta_params/{name}": value.shape for name, value in self._params.items()}
        given = {name: value.shape for name, value in state.items() if name.startswith("meta_params/")}
        if expected != given:
            raise ValueError("the checkpoint is not one of this learner")
        self.iteration = int(state["iteration"])
        self.generator.set_state(state["generator"])
        with torch.no_grad():
            for name, param in self._params.items():
                param.copy_(state[f"meta_params/{name}"])
                if self.iteration:
                    # fused Adam keeps its step count beside the parameter, as float32
                    self._optimizer.state[param] = {
                        "step": torch.tensor(float(self.iteration), device=self.device),
                        **{key: state[f"{key}/{name}"].to(self.device, copy=True) for key in _MOMENTS},
                    }

    def _outer_step(self) -> dict[str, Tensor]:
        batch = _to_device(self.family.sample(self.generator, self.training.meta_batch_size), self.device)
        losses_M, metrics_M = torch.vmap(self.learner.meta_loss, in_dims=(None, 0))(self._params, batch)
        loss = losses_M.mean()
        params = list(self._params.values())
        for param, gradient in zip(params, torch.autograd.grad(loss, params), strict=True):
            param.grad = gradient
        torch.nn.utils.clip_grad_norm_(params, self.training.clip_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = self._meta_lr()
        self._optimizer.step()
        return {
            "meta_loss": loss.detach(),
            **{name: value.detach().mean() for name, value in metrics_M.items()},
        }

    def _meta_lr(self) -> float:
        rate = self.training.meta_lr
        if self.training.schedule == "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * self.iteration / self.training.iterations))
        return rate


def _to_device(batch: MetaBatch, device: torch.device) -> MetaBatch:
    support = SupportSet(*(tensor.to(device) for tensor in batch.support))
    return MetaBatch(support, QuerySet(*(tensor.to(device) for tensor in batch.query)))
