"""Meta-curvature. Knows the network as a pure function; nothing of task families or training."""

import torch
from torch import Generator, Tensor

from models.algorithms.gradient_learner import GradientLearner
from models.algorithms.inner_loop import descend
from models.episode import SupportSet
from models.functional import Network, Params
from models.spec import MetaCurvatureSpec, Task

CURVATURE = "curvature."


class MetaCurvature(GradientLearner):
    """MAML whose inner gradients are transformed by learned matrices (Park & Oliva 2019).

    Every axis of every parameter has a square matrix that multiplies the gradient along it (the paper's M_o, M_i
    and, for a convolution's two last axes taken as one, M_f); all start as the identity, where it is MAML.
    """

    def __init__(self, spec: MetaCurvatureSpec, task: Task, network: Network) -> None:
        super().__init__(task, network)
        self.spec = spec

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """The network's parameters, and `curvature.<name>.<axis>` [n, n] for each axis of n of each."""
        params = self.network.init(generator)
        matrices = {
            f"{CURVATURE}{name}.{axis}": torch.zeros(size, size).fill_diagonal_(1.0)
            for name, value in params.items()
            for axis, size in enumerate(_axes(value))
        }
        return {**params, **matrices}

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The network's parameters after `inner_steps` steps on the support set, from `start` or `meta_params`."""
        before = meta_params if start is None else start
        adapted = descend(
            self.loss_on(support, meta_params),
            {name: before[name] for name in meta_params if not name.startswith(CURVATURE)},
            steps=self.spec.inner_steps,
            rate=lambda _, gradients: {
                name: self.spec.inner_lr * curved(meta_params, name, gradient)
                for name, gradient in gradients.items()
            },
            first_order=self.spec.first_order,
        )
        return self.with_classes(adapted, support)


def curved(meta_params: Params, name: str, gradient: Tensor) -> Tensor:
    """The gradient multiplied along each of its axes."""
    product = gradient.reshape(_axes(gradient))
    for axis in range(product.dim()):
        matrix = meta_params[f"{CURVATURE}{name}.{axis}"]
        product = (product.movedim(axis, -1) @ matrix.T).movedim(-1, axis)
    return product.reshape(gradient.shape)


def _axes(value: Tensor) -> list[int]:
    """The sizes of a parameter's axes, a convolution's height and width as one."""
    out_in, kernel = value.shape[:2], value.shape[2:]
    return [*out_in, kernel.numel()] if kernel else [*out_in]
