"""One outer step as a pure function: meta-gradient, clip, update. Knows learners by their protocol.

Parameters and Adam's moments are each one flat vector, and episodes a flat tuple of tensors, so that a step can be
traced, compiled and carried around a loop; `Layout` gives the vector's stretches their names back.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from models.algorithms.learner import Trainable
from models.episode import Episode, MetaBatch, QuerySet, SupportSet
from models.functional import Params
from models.training.config import TrainingSpec

BETAS = (0.9, 0.999)
EPSILON = 1e-8

# A meta-batch's tensors in order: those of its support set, then those of its query set.
Episodes = tuple[Tensor, ...]


class OuterState(NamedTuple):
    """What an outer step changes. P numbers each, float32, on the trainer's device."""

    params: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor


# (state, gradient [P], rates [3]) -> state.
Update = Callable[[OuterState, Tensor, Tensor], OuterState]


class Layout:
    """Where each parameter lies in the flat vector [P]: in the order of `params`, end to end."""

    def __init__(self, params: Params) -> None:
        self.shapes = {name: value.shape for name, value in params.items()}
        self._sizes = [shape.numel() for shape in self.shapes.values()]

    def pack(self, params: Params) -> Tensor:
        """One vector [P] from tensors by name."""
        return torch.cat([params[name].flatten() for name in self.shapes])

    def unpack(self, vector: Tensor) -> dict[str, Tensor]:
        """Views of the vector [P] by name."""
        parts = torch.split(vector, self._sizes)
        return {
            name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


def flatten(batch: MetaBatch) -> Episodes:
    """A meta-batch (or an episode) as a tuple of tensors."""
    return (*batch.support, *batch.query)


def unflatten(episodes: Episodes) -> MetaBatch:
    """The meta-batch (or the episode) that `flatten` took apart."""
    support = len(SupportSet._fields)
    return Episode(SupportSet(*episodes[:support]), QuerySet(*episodes[support:]))


class OuterStep:
    """`step(params, exp_avg, exp_avg_sq, rates, *episodes)` gives the next three vectors and metrics [K].

    `rates` [3] are one iteration's of `outer_rates`; `metric_names` are the K names, `meta_loss` first.
    """

    def __init__(self, learner: Trainable, layout: Layout, update: Update, example: Episode) -> None:
        """`example` is any one episode: the learner is asked what metrics it has of it."""
        self.learner = learner
        self.layout = layout
        self.update = update
        params = {
            name: torch.zeros(shape, device=example.query.inputs.device)
            for name, shape in layout.shapes.items()
        }
        _, metrics = learner.meta_loss(params, example)
        self.metric_names = ("meta_loss", *sorted(metrics))

    def __call__(
        self, params: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, rates: Tensor, *episodes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        gradient, metrics = self.batch_gradient(params, *episodes)
        return *self.update(OuterState(params, exp_avg, exp_avg_sq), gradient, rates), metrics

    def batch_gradient(self, params: Tensor, *episodes: Tensor) -> tuple[Tensor, Tensor]:
        """The meta-gradient [P] of a meta-batch's mean loss, all tasks in one pass, and the metrics' means [K]."""

        def mean_loss(by_name: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            losses_M, metrics_M = torch.vmap(self.learner.meta_loss, in_dims=(None, 0))(by_name, batch)
            return losses_M.mean(), self._metrics(losses_M, metrics_M).mean(-1)

        batch = unflatten(episodes)
        return self._gradient(mean_loss, params)

    def task_gradient(self, params: Tensor, *episode: Tensor) -> tuple[Tensor, Tensor]:
        """The meta-gradient [P] of one task's loss, and its metrics [K]."""

        def loss(by_name: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            value, metrics = self.learner.meta_loss(by_name, task)
            return value, self._metrics(value, metrics)

        task = unflatten(episode)
        return self._gradient(loss, params)

    def _gradient(
        self, loss: Callable[[dict[str, Tensor]], tuple[Tensor, Tensor]], params: Tensor
    ) -> tuple[Tensor, Tensor]:
        # Not by torch.func.grad, whose gradients have gradients of their own: a normalisation's are then made of
        # eight kernels instead of one.
        with torch.enable_grad():
            leaf = params.detach().requires_grad_()
            value, metrics = loss(self.layout.unpack(leaf))
            if not value.requires_grad:  # no parameter is learned
                return torch.zeros_like(params), metrics
            (gradient,) = torch.autograd.grad(value, leaf)
        return gradient, metrics

    def _metrics(self, losses: Tensor, metrics: Params) -> Tensor:
        """[K, ...] from losses [...] and metrics of the same shape."""
        return torch.stack([losses, *(metrics[name] for name in self.metric_names[1:])]).detach()


def adam(state: OuterState, gradient: Tensor, rates: Tensor) -> OuterState:
    """One step of Adam (Kingma & Ba 2015) on the gradient [P]; `rates` begin as `outer_rates`."""
    exp_avg = torch.lerp(state.exp_avg, gradient, 1 - BETAS[0])
    exp_avg_sq = torch.lerp(state.exp_avg_sq, gradient.square(), 1 - BETAS[1])
    step_size, correction = rates[:2].unbind()
    move = step_size * exp_avg / (exp_avg_sq.sqrt() / correction + EPSILON)
    return OuterState(state.params - move, exp_avg, exp_avg_sq)


def clipped(gradient: Tensor, norm: float) -> Tensor:
    """The gradient [P], shortened to a norm where it is longer."""
    share: Tensor = norm / (gradient.norm() + 1e-6)
    return gradient * share.clamp(max=1.0)


def outer_rates(training: TrainingSpec, first: int, count: int) -> Tensor:
    """Float32 [count, 3], from iteration `first` on: the bias-corrected step size and root correction of Adam, and
    the rate itself."""

    def rates(iteration: int) -> tuple[float, float, float]:
        corrections = [1 - beta ** (iteration + 1) for beta in BETAS]
        rate = meta_lr(training, iteration)
        return rate / corrections[0], math.sqrt(corrections[1]), rate

    return torch.tensor([rates(iteration) for iteration in range(first, first + count)])


def meta_lr(training: TrainingSpec, iteration: int) -> float:
    """The schedule's rate at an iteration, counted from 0."""
    if training.schedule == "constant":
        return training.meta_lr
    return training.meta_lr * 0.5 * (1 + math.cos(math.pi * iteration / training.iterations))
