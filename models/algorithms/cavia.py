"""Context adaptation. Knows the network as a pure function; nothing of task families or training."""

import torch
from torch import Tensor

from models.algorithms.gradient_learner import GradientLearner
from models.algorithms.inner_loop import descend
from models.episode import SupportSet
from models.functional import Network, Params
from models.spec import CaviaSpec, Task

CONTEXT = "context"


class Cavia(GradientLearner):
    """Adapt a few context parameters, an input of the network beside the example (Zintgraf et al. 2019).

    They start at zero in every task, so an adapted model is these few numbers. A vector gets them as further
    columns, an image as further channels, each constant.
    """

    def __init__(self, spec: CaviaSpec, task: Task, network: Network) -> None:
        """`network` takes `context` more columns, or channels, than an example has."""
        super().__init__(task, network)
        self.spec = spec

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """`context` [C] after `inner_steps` steps on the support set, from `start` or zero."""
        context = support.inputs.new_zeros(self.spec.context) if start is None else start[CONTEXT]
        adapted = descend(
            self.loss_on(support, meta_params),
            {CONTEXT: context},
            steps=self.spec.inner_steps,
            rate=self.spec.inner_lr,
            first_order=self.spec.first_order,
        )
        return self.with_classes(adapted, support)

    def outputs(self, meta_params: Params, adapted_params: Params, inputs: Tensor) -> Tensor:
        # Of series the channels come last, of images first; of vectors the columns are both.
        channels = 2 if inputs.dim() == 3 else 1
        shape = [1] * inputs.dim()
        shape[channels] = -1
        sizes = list(inputs.shape)
        sizes[channels] = -1
        beside = adapted_params[CONTEXT].view(shape).expand(sizes)
        return self.network(meta_params, torch.cat([inputs, beside], dim=channels))
