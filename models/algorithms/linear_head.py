"""What classifiers have in common that fit a linear last layer to each task. Knows no fit: each has its own."""

from abc import abstractmethod

import torch
from torch import Tensor

from models.algorithms.classifier import Classifier
from models.episode import SupportSet
from models.functional import Network, Params, one_hot, only_real_classes


class LinearHead(Classifier):
    """A convex fit on learned features [1, backbone(x)], the same for every order of examples and classes.

    The scale of the logits is learned (Bertinetto et al. 2019). The intercept is the weight of a constant column,
    and so is penalised as the others are. A fit is solved in float64, and a task may have any number of classes.
    """

    def __init__(self, backbone: Network, scale_name: str) -> None:
        """`scale_name` is the name of the scale's logarithm among the meta-parameters."""
        super().__init__(backbone)
        self._scale_name = scale_name

    @abstractmethod
    def fit(self, meta_params: Params, columns: Tensor, labels: Tensor, class_mask: Tensor) -> Tensor:
        """Weights [P, N], differentiable in the meta-parameters and columns; everything is float64.

        Columns [S, P] and one-hot labels [S, N] are zero where an example is padding, labels where a class slot is
        unused (`class_mask` [N]) too.
        """

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """`weights` [F + 1, N], the intercepts first, and `class_mask` [N]. Raises ValueError for a `start`."""
        if start is not None:
            raise ValueError("a last layer that is fitted to the optimum adapts from a support set alone")
        columns_SP = self._columns(meta_params, support.inputs)
        labels_SN = one_hot(support.targets, support.mask, support.class_mask.shape[-1])
        weights_PN = self.fit(
            meta_params,
            (columns_SP * support.mask.unsqueeze(-1)).double(),
            labels_SN.double(),
            support.class_mask.double(),
        )
        weights_PN = weights_PN * support.class_mask
        return {"weights": weights_PN.to(columns_SP.dtype), "class_mask": support.class_mask}

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`logits` [Q, N]."""
        scores_QN = self._columns(meta_params, query_inputs) @ adapted_params["weights"]
        logits = torch.exp(meta_params[self._scale_name]) * scores_QN
        return {"logits": only_real_classes(logits, adapted_params["class_mask"])}

    def _columns(self, meta_params: Params, inputs: Tensor) -> Tensor:
        features = self.backbone(meta_params, inputs)
        return torch.cat([torch.ones_like(features[:, :1]), features], dim=-1)
