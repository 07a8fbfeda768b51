"""Conditional neural processes. Knows its networks as pure functions; nothing of task families or training."""

from torch import Tensor

from models.algorithms.neural_process import NeuralProcess
from models.functional import Params


class Cnp(NeuralProcess):
    """The mean of the encoded examples stands for a support set, beside every query (Garnelo et al. 2018).

    Tells every query the same, so it adapts and answers at the cost of a network; it tends to underfit what an
    attentive neural process, or ridge regression on features, passes through.
    """

    def read(self, meta_params: Params, features: Tensor, values: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """`representation` [R], zero for a support set of no examples."""
        weights_S = mask / mask.sum().clamp(min=1.0)
        return {"representation": weights_S @ values}

    def told(self, meta_params: Params, adapted_params: Params, features: Tensor) -> Tensor:
        return adapted_params["representation"].expand(len(features), -1)
