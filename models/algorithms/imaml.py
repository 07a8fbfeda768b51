"""MAML with implicit gradients. Knows the network as a pure function; nothing of task families or training."""

import torch
from torch import Tensor

from models.algorithms.conjugate_gradients import conjugate_gradients, dot
from models.algorithms.gradient_learner import GradientLearner
from models.algorithms.inner_loop import descend
from models.episode import Episode, SupportSet
from models.functional import Network, Params
from models.spec import ImamlSpec, Task


class Imaml(GradientLearner):
    """Adapt to the minimum of loss + proximity / 2 * distance² to the meta-parameters (Rajeswaran et al. 2019).

    Where the inner loop has come to that minimum, the meta-gradient is the solution g of
    (I + H / proximity) g = the query loss's gradient there, H being the Hessian of the support's loss: so it needs
    no path through the inner steps, whose number costs no memory. Conjugate gradients solve it by `cg_steps`
    products with H.
    """

    def __init__(self, spec: ImamlSpec, task: Task, network: Network) -> None:
        super().__init__(task, network)
        self.spec = spec

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The network's parameters after `inner_steps` proximal steps, from `start` or `meta_params`."""
        before = meta_params if start is None else start
        loss, proximity = self.loss_on(support, meta_params), self.spec.proximity

        def proximal_loss(params: dict[str, Tensor]) -> Tensor:
            moved = torch.stack(
                [(params[name] - value).square().sum() for name, value in meta_params.items()]
            )
            return loss(params) + 0.5 * proximity * moved.sum()

        adapted = descend(
            proximal_loss,
            {name: before[name] for name in meta_params},
            steps=self.spec.inner_steps,
            rate=self.spec.inner_lr,
        )
        return self.with_classes(adapted, support)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """The query's loss after adaptation, with the implicit gradient for its gradient."""
        frozen = {name: value.detach() for name, value in meta_params.items()}
        adapted = self.adapt(frozen, episode.support)
        there = {name: adapted[name] for name in frozen}

        def query_loss(params: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
            return self.query_loss(self.outputs(frozen, params, episode.query.inputs), episode)

        gradient, metrics = torch.func.grad(query_loss, has_aux=True)(there)
        hessian = torch.func.vjp(torch.func.grad(self.loss_on(episode.support, frozen)), there)[1]

        def curve(vector: dict[str, Tensor]) -> dict[str, Tensor]:
            (product,) = hessian(vector)
            return {name: value + product[name] / self.spec.proximity for name, value in vector.items()}

        implicit = conjugate_gradients(curve, gradient, self.spec.cg_steps)
        # A function of the meta-parameters whose value is the loss and whose gradient is the implicit one.
        slope = dot(implicit, {name: value - frozen[name] for name, value in meta_params.items()})
        return metrics["loss"] + slope, metrics
