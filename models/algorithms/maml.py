"""Model-agnostic meta-learning. Knows the network as a pure function; nothing of task families or training."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from models.algorithms.gradient_learner import GradientLearner
from models.algorithms.inner_loop import Move, descent
from models.episode import Episode, SupportSet
from models.functional import Network, Params, cauchy_error
from models.spec import MamlSpec, Task

RATES = "rates."


class Maml(GradientLearner):
    """Adapt the whole network by gradient steps from a learned initialisation (Finn, Abbeel & Levine 2017).

    `learned_rates` makes the rates meta-parameters: one for each number of the network (Meta-SGD, Li et al.
    2017) or one for each tensor at each step (MAML++, Antoniou et al. 2019). They are kept as multiples of
    `inner_lr`, which they all start at, so a caller's `inner_lr` scales them; a step beyond those trained takes
    the last one's. An adaptation that goes on from another begins with the first step's again.

    `step_loss_decay` is MAML++'s multi-step loss: the query's loss after every step counts, each step by that
    factor less than the one after it, 0 for the last alone. The paper anneals the weights during training; here
    they are fixed, for a pure function of parameters and episode knows no iteration.
    """

    def __init__(self, spec: MamlSpec, task: Task, network: Network) -> None:
        super().__init__(task, network)
        self.spec = spec

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """The network's parameters, and `rates.<name>` of each where rates are learned."""
        params = self.network.init(generator)
        match self.spec.learned_rates:
            case "none":
                rates = {}
            case "per_parameter":
                rates = {RATES + name: torch.ones(value.shape) for name, value in params.items()}
            case "per_step":
                rates = {RATES + name: torch.ones(max(1, self.spec.inner_steps)) for name in params}
        return {**params, **rates}

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The network's parameters after `inner_steps` steps on the support set, from `start` or `meta_params`."""
        before = meta_params if start is None else start
        adapted = {name: before[name] for name in meta_params if not name.startswith(RATES)}
        for after in self._descent(meta_params, adapted, support):
            adapted = after
        return self.with_classes(adapted, support)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """The query's loss after the last step, or after every step by its weight; metrics are of the last."""
        if not self.spec.step_loss_decay or self.spec.inner_steps < 2:
            return super().meta_loss(meta_params, episode)
        before = {name: value for name, value in meta_params.items() if not name.startswith(RATES)}
        total = episode.query.mask.new_zeros(())
        metrics: dict[str, Tensor] = {}
        weights = step_weights(self.spec.inner_steps, self.spec.step_loss_decay)
        for weight, adapted in zip(weights, self._descent(meta_params, before, episode.support), strict=True):
            outputs = self.outputs(meta_params, adapted, episode.query.inputs)
            loss, metrics = self.query_loss(outputs, episode)
            total = total + weight * loss
        return total, metrics

    def query_loss(self, outputs: Tensor, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """See `GradientLearner`; the metrics stay those of squared errors."""
        loss, metrics = super().query_loss(outputs, episode)
        if self.spec.robust and self.task == "regression":
            query = episode.query
            loss = cauchy_error(outputs, query.targets, query.mask, self.spec.robust)
        return loss, metrics

    def _descent(
        self, meta_params: Params, before: Params, support: SupportSet
    ) -> Iterator[dict[str, Tensor]]:
        return descent(
            self.loss_on(support, meta_params),
            before,
            steps=self.spec.inner_steps,
            rate=self._rate(meta_params),
            first_order=self.spec.first_order,
            clip=self.spec.inner_clip,
        )

    def _rate(self, meta_params: Params) -> float | Move:
        rate = self.spec.inner_lr
        match self.spec.learned_rates:
            case "none":
                return rate
            case "per_parameter":
                return lambda _, gradients: {
                    name: rate * meta_params[RATES + name] * value for name, value in gradients.items()
                }
            case "per_step":
                return lambda step, gradients: {
                    name: rate * _at(meta_params[RATES + name], step) * value
                    for name, value in gradients.items()
                }


def step_weights(steps: int, decay: float) -> list[float]:
    """Weights of the steps' losses, with sum 1: each `decay` times the one after it."""
    powers = [decay ** (steps - 1 - step) for step in range(steps)]
    return [power / sum(powers) for power in powers]


def _at(rates: Tensor, step: int) -> Tensor:
    return rates[min(step, len(rates) - 1)]
